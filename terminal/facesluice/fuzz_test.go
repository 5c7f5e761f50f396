package facesluice_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"unicode/utf8"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/dialecttest"
)

func FuzzDecode(f *testing.F) {
	for name, topic := range envelope {
		payload, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(topic, payload)
	}
	f.Add("mqtt/face/a/Rec", []byte(`{"operator":"RecPush","info":[{"RecordID":1e9,"picURI":"http:\/\/x"},{"RecordID":"00"}]}`))
	f.Add("mqtt/face/basic", []byte(`{"operator":"Online","messageId":"\u0000","info":{"facesluiceId":12}}`))
	f.Add("mqtt/face/a/Ack", []byte(`{"operator":"\u00e9-Ack","code":200,"info":{"result":"\n","detail":"é"}}`))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) { dialecttest.Decode(t, cameras, topic, payload) })
}

func FuzzMatch(f *testing.F) {
	for _, seed := range []string{
		"mqtt/face/basic", "mqtt/face/heartbeat", "mqtt/face/1/Rec", "mqtt/face/1/Snap", "mqtt/face/1/Ack", "mqtt/face/1",
		"mqtt/face//Rec", "mqtt/face/basic/Rec", "mqtt/face/a/b/Rec", "mqtt/face/+/Ack", "mqtt/face/\xff/Ack", "mqtt/face/Rec",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, topic string) { dialecttest.Match(t, cameras, topic) })
}

// FuzzCommand: every message to a camera is an object with our messageId, once.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		`{"cmd":"open","uid":"1"}`, `{"operator":"X","messageId":1,"info":{}}`, `{"\u006dessageId":1,"operator":"X","operator":"Y","<":"\u2028"}`,
	} {
		f.Add("c-1", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, id string, body []byte) {
		out, err := cameras.Command("7", id, body, dialecttest.Now)
		if err != nil {
			if !errors.Is(err, dialect.ErrNoSuchCommand) {
				t.Errorf("not ErrNoSuchCommand: %v", err)
			}
			return
		}
		var sent map[string]any
		if err := json.Unmarshal(out.Payload, &sent); err != nil || sent["operator"] == nil {
			t.Fatalf("%q: %v", out.Payload, err)
		}
		if utf8.ValidString(id) && sent["messageId"] != id {
			t.Errorf("%q lacks the id %q", out.Payload, id)
		}
	})
}
