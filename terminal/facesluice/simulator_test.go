package facesluice_test

import (
	"encoding/json"
	"testing"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/dialecttest"
	"edgelens/terminal/facesluice"
)

// TestRoundTrip: the dialect understands the simulator's messages, and the simulator those
// of the dialect.
func TestRoundTrip(t *testing.T) {
	simulator := facesluice.NewSimulator(zone)
	at := time.Date(2026, 4, 10, 8, 0, 7, 0, time.UTC)
	ana := edgelens.Person{ID: "3", Name: "Ana Reyes"}
	tests := map[string]struct {
		record edgelens.Record
		image  string
	}{
		"passed":     {edgelens.Record{Kind: edgelens.RecordVerified, Key: "17", Passed: true, Person: ana, CapturedAt: at}, "an image"},
		"refused":    {edgelens.Record{Kind: edgelens.RecordVerified, Key: "18", Person: ana, CapturedAt: at}, "an image"},
		"blocked":    {edgelens.Record{Kind: edgelens.RecordVerified, Key: "19", Person: edgelens.Person{ID: "4", Type: "1", Code: "1"}, CapturedAt: at}, "an image"},
		"no image":   {edgelens.Record{Kind: edgelens.RecordVerified, Key: "20", Passed: true, Person: ana}, ""},
		"a stranger": {edgelens.Record{Kind: edgelens.RecordStranger, Key: "21", CapturedAt: at}, "\xff\xd8\xff"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sent := simulator.Record("7", test.record, []byte(test.image))
			message, ok := dialecttest.Decode(t, cameras, sent.Topic, sent.Payload)
			if !ok || message.Kind != dialect.Records || message.Device != "7" || len(message.Entries) != 1 {
				t.Fatalf("%v %+v", ok, message)
			}
			entry := message.Entries[0]
			got, want := entry.Record, test.record
			if got.Kind != want.Kind || message.Entries[0].FormerKey != want.Key || got.Passed != want.Passed || got.Person.ID != want.Person.ID || got.Person.Name != want.Person.Name ||
				!dialecttest.CapturedAt(entry).Equal(want.CapturedAt) || string(entry.Image) != test.image {
				t.Errorf("%+v", entry)
			}
			if len(entry.Acks) != 1 || entry.Acks[0].Topic != simulator.Subscriptions("7")[0] {
				t.Fatalf("acks %+v", entry.Acks)
			}
			ack := entry.Acks[0]
			if answer := simulator.Read(ack.Topic, ack.Payload); answer != (dialect.Answer{Kind: dialect.RecordAck, Key: want.Key}) {
				t.Errorf("read as %+v", answer)
			}
			confirmed, ok := simulator.Reply("7", ack.Payload, at)
			message, decoded := dialecttest.Decode(t, cameras, confirmed.Topic, confirmed.Payload)
			if !ok || !decoded || message.Kind != dialect.Reply || message.Outcome.Command != "" || !message.Outcome.OK {
				t.Errorf("confirmed by %+v", message)
			}
		})
	}
}

func TestPresenceRoundTrip(t *testing.T) {
	simulator := facesluice.NewSimulator(zone)
	beat, ok := simulator.Heartbeat("7", dialecttest.Now)
	if message, decoded := dialecttest.Decode(t, cameras, beat.Topic, beat.Payload); !ok || !decoded || message.Kind != dialect.Heartbeat || message.Device != "7" || message.Answers != nil {
		t.Errorf("%+v", message)
	}
	online, ok := simulator.Online("7", dialecttest.Now)
	message, decoded := dialecttest.Decode(t, cameras, online.Topic, online.Payload)
	if !ok || !decoded || message.Kind != dialect.Online || len(message.Answers) != 1 {
		t.Fatalf("%+v", message)
	}
	answer := message.Answers[0]
	if read := simulator.Read(answer.Topic, answer.Payload); read.Kind != dialect.OnlineAnswer {
		t.Errorf("read as %+v", read)
	}
	if _, ok := simulator.Reply("7", answer.Payload, dialecttest.Now); ok {
		t.Error("an answer was replied to")
	}
}

func TestCommandRoundTrip(t *testing.T) {
	simulator := facesluice.NewSimulator(zone)
	for name, body := range map[string]string{
		"open":             `{"cmd":"open"}`,
		"the camera's own": `{"operator":"RebootDevice","info":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			command, err := cameras.Command("7", `c "1"`, json.RawMessage(body), dialecttest.Now)
			if err != nil {
				t.Fatal(err)
			}
			if read := simulator.Read(command.Topic, command.Payload); read.Kind != dialect.CommandSent {
				t.Errorf("read as %+v", read)
			}
			reply, ok := simulator.Reply("7", command.Payload, dialecttest.Now)
			message, decoded := dialecttest.Decode(t, cameras, reply.Topic, reply.Payload)
			if !ok || !decoded || message.Kind != dialect.Reply || message.Outcome.Command != `c "1"` || !message.Outcome.OK {
				t.Errorf("%+v", message)
			}
		})
	}
}

func TestRead(t *testing.T) {
	const down = "mqtt/face/7"
	tests := map[string]struct {
		topic, payload string
		want           dialect.Answer
	}{
		"for another":           {down, `{"operator":"Online-Ack","info":{"facesluiceId":"8","result":"ok"}}`, dialect.Answer{}},
		"not ok":                {down, `{"operator":"Online-Ack","info":{"facesluiceId":"7"}}`, dialect.Answer{}},
		"ack of no kind":        {down, `{"operator":"PushAck","info":{"SnapOrRecordID":1}}`, dialect.Answer{}},
		"no operator":           {down, `{}`, dialect.Answer{}},
		"not JSON":              {down, `x`, dialect.Answer{}},
		"a message of a camera": {"mqtt/face/7/Rec", `{"operator":"RecPush"}`, dialect.Answer{}},
		"another dialect's":     {"fungxi_7_downLink", `{"operator":"Unlock"}`, dialect.Answer{}},
		"ack with a string":     {down, `{"operator":"PushAck","info":{"PushAckType":"1","SnapOrRecordID":"5"}}`, dialect.Answer{Kind: dialect.RecordAck, Key: "5"}},
		"any command":           {down, `{"operator":"GetSysTime"}`, dialect.Answer{Kind: dialect.CommandSent}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := facesluice.NewSimulator(nil).Read(test.topic, []byte(test.payload)); got != test.want {
				t.Errorf("%+v", got)
			}
		})
	}
}
