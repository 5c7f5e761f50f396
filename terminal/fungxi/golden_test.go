package fungxi_test

import (
	"os"
	"testing"

	"edgelens/terminal/dialect/dialecttest"
)

func TestGolden(t *testing.T) {
	for _, name := range []string{"heartbeat", "verified", "stranger", "unknown"} {
		t.Run(name, func(t *testing.T) {
			payload, err := os.ReadFile("testdata/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			message, ok := dialecttest.Decode(t, echoing, topic, payload)
			if !ok {
				t.Fatal("malformed")
			}
			dialecttest.Golden(t, name+".golden", dialecttest.Readable(message))
		})
	}
}
