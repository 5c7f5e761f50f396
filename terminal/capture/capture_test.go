package capture_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"edgelens"
	"edgelens/terminal/camera"
	"edgelens/terminal/capture"
	"edgelens/terminal/facesluice"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

var jpeg = append([]byte{0xff, 0xd8, 0xff}, bytes.Repeat([]byte("an image? "), 200)...)

// sizeAndDigest is the description of the image above.
const sizeAndDigest = "<image: 2003 bytes, sha256 "

func TestCut(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString(jpeg)
	tests := map[string]struct{ payload, want string }{
		"nothing":       {"", ""},
		"text":          {`{"cmd":"heartU"}`, `{"cmd":"heartU"}`},
		"short base64":  {`{"id":"aGVsbG8="}`, `{"id":"aGVsbG8="}`},
		"base64":        {`{"pic":"` + encoded + `","x":1}`, `{"pic":"` + sizeAndDigest},
		"a data URI":    {`{"pic":"data:image/jpeg;base64,` + encoded + `"}`, sizeAndDigest},
		"URL alphabet":  {base64.URLEncoding.EncodeToString(jpeg), sizeAndDigest},
		"no padding":    {base64.RawStdEncoding.EncodeToString(jpeg), sizeAndDigest},
		"escaped":       {strings.ReplaceAll(encoded, "/", `\/`), sizeAndDigest},
		"in lines":      {encoded[:76] + "\r\n" + encoded[76:152] + `\r\n` + encoded[152:], sizeAndDigest},
		"broken base64": {strings.Repeat("x", 1001), "<long text: 1001 bytes, sha256 "},
		"a JPEG":        {string(jpeg), sizeAndDigest},
		"not UTF-8":     {"a\xffb", "<not text: 3 bytes, sha256 "},
		"Chinese":       {`{"name":"张三"}`, `{"name":"张三"}`},
		"much":          {strings.Repeat("张三 ", 64<<10), "<cut: 458752 bytes in all>"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := capture.Cut([]byte(test.payload))
			if !strings.Contains(got, test.want) {
				t.Errorf("%.200q, want %q in it", got, test.want)
			}
			checkCut(t, got)
		})
	}
}

var runOfBase64 = regexp.MustCompile(`[A-Za-z0-9+/=_-]{128}`)

func checkCut(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) || len(text) > 65<<10 {
		t.Errorf("%d bytes, valid %v", len(text), utf8.ValidString(text))
	}
	if at := runOfBase64.FindString(text); at != "" {
		t.Errorf("left in: %q", at)
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte(`{"pic":"data:image/jpeg;base64,` + base64.StdEncoding.EncodeToString(jpeg) + `"}`))
	f.Add(jpeg)
	f.Add([]byte(strings.Repeat(`a\n\/`, 100)))
	f.Fuzz(func(t *testing.T, payload []byte) { checkCut(t, capture.Cut(payload)) })
}

func BenchmarkCut(b *testing.B) {
	payload := []byte(`{"pic":"` + base64.StdEncoding.EncodeToString(bytes.Repeat(jpeg, 50)) + `"}`)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		capture.Cut(payload)
	}
}

func recorder(out *bytes.Buffer, keepNames bool) *capture.Recorder {
	return capture.New(out, keepNames, fungxi.New(fungxi.DefaultConfig()), facesluice.New(facesluice.DefaultConfig()), camera.New(camera.DefaultConfig()))
}

func TestLines(t *testing.T) {
	record := edgelens.Record{Kind: edgelens.RecordVerified, Key: "5", Passed: true, Person: edgelens.Person{Name: "Ada Lovelace"}, CapturedAt: time.Now()}
	sent := facesluice.NewSimulator(nil).Record("F1", record, jpeg)
	tests := map[string]struct {
		message   session.Message
		keepNames bool
		want      capture.Line
		has, not  string
	}{
		"a record":   {session.Message{Topic: sent.Topic, Payload: sent.Payload}, false, capture.Line{Dialect: "facesluice", Device: "F1", Kind: "records", Name: "RecPush"}, "<masked>", "Ada"},
		"with names": {session.Message{Topic: sent.Topic, Payload: sent.Payload, QoS: 1, Retained: true}, true, capture.Line{Dialect: "facesluice", Device: "F1", Kind: "records", Name: "RecPush", QoS: 1, Retained: true}, "Ada Lovelace", "<masked>"},
		"malformed":  {session.Message{Topic: "fungxi_1_upLink", Payload: []byte("{")}, false, capture.Line{Dialect: "fungxi", Device: "1", Error: "the message is malformed"}, "{", "kind"},
		"unknown":    {session.Message{Topic: "fungxi_1_upLink", Payload: []byte(`{"cmd":"newU","password":"geheim"}`)}, false, capture.Line{Dialect: "fungxi", Device: "1", Kind: "unknown", Name: "newU"}, "newU", "geheim"},
		"a camera":   {session.Message{Topic: "edgelens/v1/devices/c/snapshot", Payload: jpeg}, false, capture.Line{Dialect: "camera", Device: "c", Kind: "records", Name: "snapshot"}, sizeAndDigest, "image?"},
		"no dialect": {session.Message{Topic: "other/topic", Payload: []byte("hello")}, false, capture.Line{}, "hello", "<masked>"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			acked := false
			test.message.Ack = func() { acked = true }
			r := recorder(&out, test.keepNames)
			r.Record(test.message)
			var got capture.Line
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if n, err := r.Lines(); n != 1 || err != nil || !acked {
				t.Errorf("%d lines, %v, acknowledged %v", n, err, acked)
			}
			if got.Topic != test.message.Topic || got.Bytes != len(test.message.Payload) || got.Time.IsZero() || got.QoS != test.want.QoS || got.Retained != test.want.Retained ||
				got.Dialect != test.want.Dialect || got.Device != test.want.Device || got.Kind != test.want.Kind || got.Name != test.want.Name || !strings.HasPrefix(got.Error, test.want.Error) {
				t.Errorf("%+v", got)
			}
			if line := out.String(); !strings.Contains(line, test.has) || strings.Contains(got.Payload, test.not) || runOfBase64.MatchString(line) {
				t.Error(line)
			}
		})
	}
}

// Every part of a record that is not understood is in the reasons.
func TestReasons(t *testing.T) {
	var out bytes.Buffer
	r := recorder(&out, false)
	r.Record(session.Message{Topic: "mqtt/face/F1/Rec", Ack: func() {}, Payload: []byte(`{"operator":"RecPush","info":{"VerifyStatus":1,"PersonType":7,"time":"soon","PushType":3}}`)})
	for _, want := range []string{"no image", `PersonType is \"7\"`, `\"soon\"`, "PushType"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestFullDiskIsReported(t *testing.T) {
	r := capture.New(fullDisk{}, false)
	r.Record(session.Message{Topic: "x", Ack: func() {}})
	if n, err := r.Lines(); n != 0 || err == nil {
		t.Errorf("%d lines, %v", n, err)
	}
}
