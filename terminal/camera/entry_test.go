package camera_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"edgelens/terminal/clock"
	"edgelens/terminal/dialect/dialecttest"
)

// Images come unencoded, in base64, and in JSON.
func TestWrappedImages(t *testing.T) {
	image := "\xff\xd8\xff\xe0" + strings.Repeat("image", 40)
	plain := base64.StdEncoding.EncodeToString([]byte(image))
	lines := strings.ReplaceAll(plain, plain[:20], plain[:20]+"\r\n")
	tests := map[string]struct {
		payload string
		images  int
		reason  string
	}{
		"base64":                   {plain, 1, ""},
		"base64 in lines":          {lines + "\n", 1, ""},
		"base64 and a zero byte":   {plain + "\x00", 1, ""},
		"URL alphabet, no padding": {base64.RawURLEncoding.EncodeToString([]byte(image)), 1, ""},
		"data URI":                 {"data:image/jpeg;base64," + plain, 1, ""},
		"data URI, in capitals":    {"DATA:IMAGE/JPEG;BASE64," + lines, 1, ""},
		"JSON":                     {`{"image":"` + plain + `"}`, 1, ""},
		"JSON, another name":       {`{"id":7,"imgData":"data:image/jpeg;base64,` + plain + `"}`, 1, ""},
		"JSON, wrapped":            {`{"data":{"pic":"` + plain + `"}}`, 1, ""},
		"JSON, in lines":           {`{"image":"` + lines + `"}`, 1, ""},
		"JSON, two":                {`[{"image":"` + plain + `"},{"image":"` + plain + `"}]`, 2, ""},
		"a string":                 {`"` + plain + `"`, 1, ""},
		"JSON without an image":    {`{"temperature":21}`, 0, "JSON without an image"},
		"JSON, not base64":         {`{"image":"?"}`, 0, "not valid base64"},
		"JSON, too large":          {`{"image":"` + strings.Repeat("QUJD", 2000) + `"}`, 0, "at most 2048"},
		"base64, too large":        {base64.StdEncoding.EncodeToString(append([]byte(image), make([]byte, 4000)...)), 0, "at most 2048"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, cameras, topic, []byte(test.payload))
			if !ok || len(message.Entries) != max(1, test.images) {
				t.Fatalf("%v, %d entries", ok, len(message.Entries))
			}
			for _, entry := range message.Entries {
				if test.images > 0 && string(entry.Image) != image || test.images == 0 && (entry.Image != nil || entry.Record.Key == "") || !strings.Contains(entry.Record.Reason, test.reason) {
					t.Errorf("%d bytes, %+v", len(entry.Image), entry.Record)
				}
				if strings.Contains(string(entry.Record.Verdict), plain[:10]) || entry.Record.Verdict != nil && !json.Valid(entry.Record.Verdict) {
					t.Errorf("%s", entry.Record.Verdict)
				}
			}
		})
	}
}

// A time beside an image dates it.
func TestTimeBesideAnImage(t *testing.T) {
	key := func(payload string) string {
		t.Helper()
		message, _ := dialecttest.Decode(t, cameras, topic, []byte(payload))
		entry := message.Entries[0]
		if entry.Repeats || len(entry.Times) != 1 || entry.Times[0].Kind != clock.Wall {
			t.Errorf("%+v", entry)
		}
		return entry.Record.Key
	}
	if key(`{"image":"QUJD","time":"2026-04-10 10:00:07"}`) == key(`{"image":"QUJD","time":"2026-04-10 11:00:07"}`) {
		t.Error("another time is the same record")
	}
}
