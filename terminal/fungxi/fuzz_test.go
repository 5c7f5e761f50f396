package fungxi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/terminal/dialect/dialecttest"
)

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	for _, seed := range []string{
		`{"cmd":"verifiedRecordU","data":{"num":1e99,"time":1775815207,"name":null}}`,
		`{"cmd":"verifiedRecordU","data":[null,[],{"num":"\ud800","\u0001":"x","time":"9999-12-31 23:59:59","x":[{}]}]}`,
		"\xef\xbb\xbf{\"cmd\":\"strangerRecordU\",\"data\":[{\"name\":\"\xff\",\"liveImageBase64\":\"" + strings.Repeat("QUJD\\/", 60) + "\"}]}\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) { dialecttest.Decode(t, echoing, topic, payload) })
}

func FuzzMatch(f *testing.F) {
	for _, seed := range []string{topic, "fungxi_a/b_upLink", "fungxi_upLink", "fungxi__upLink", "fungxi_upLink_upLink", "fungxi_\xff_upLink"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, topic string) { dialecttest.Match(t, echoing, topic) })
}
