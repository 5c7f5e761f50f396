package facesluice_test

import (
	"os"
	"testing"

	"edgelens/terminal/dialect/dialecttest"
)

// envelope holds the topic of each message in testdata.
var envelope = map[string]string{
	"heartbeat": "mqtt/face/heartbeat", "online": "mqtt/face/basic", "offline": "mqtt/face/basic",
	"record": "mqtt/face/1026700/Rec", "stranger": "mqtt/face/1026700/Snap", "unknown": "mqtt/face/1026700/Snap",
	"reply": "mqtt/face/1026700/Ack", "refusal": "mqtt/face/1026700/Ack", "confirmation": "mqtt/face/1026700/Ack",
}

func TestGolden(t *testing.T) {
	for name, topic := range envelope {
		t.Run(name, func(t *testing.T) {
			payload, err := os.ReadFile("testdata/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			message, ok := dialecttest.Decode(t, cameras, topic, payload)
			if !ok {
				t.Fatal("malformed")
			}
			dialecttest.Golden(t, name+".golden", dialecttest.Readable(message))
		})
	}
}
