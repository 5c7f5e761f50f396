package fungxi_test

import (
	"testing"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/dialecttest"
	"edgelens/terminal/fungxi"
)

// TestRoundTrip: the dialect understands the simulator's messages, and the simulator those
// of the dialect.
func TestRoundTrip(t *testing.T) {
	simulator := fungxi.NewSimulator(zone)
	at := time.Date(2026, 4, 10, 8, 0, 7, 0, time.UTC)
	tests := map[string]struct {
		record edgelens.Record
		image  string
	}{
		"passed":          {edgelens.Record{Kind: edgelens.RecordVerified, Key: "17", Passed: true, Person: edgelens.Person{Name: "O'Neil <x> 张三"}, CapturedAt: at}, "an image"},
		"refused":         {edgelens.Record{Kind: edgelens.RecordVerified, Key: "18", Person: edgelens.Person{Type: "1", Code: "4"}, CapturedAt: at}, "an image"},
		"no image":        {edgelens.Record{Kind: edgelens.RecordVerified, Key: "19", Passed: true, CapturedAt: at}, ""},
		"no time":         {edgelens.Record{Kind: edgelens.RecordVerified, Key: "20", Passed: true}, "an image"},
		"a stranger":      {edgelens.Record{Kind: edgelens.RecordStranger, Key: "21", CapturedAt: at}, "\xff\xd8\xff"},
		"texts for codes": {edgelens.Record{Kind: edgelens.RecordVerified, Key: "22", Person: edgelens.Person{Type: "x", Code: "no match"}, CapturedAt: at}, "an image"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sent := simulator.Record("F1", test.record, []byte(test.image))
			message, ok := dialecttest.Decode(t, echoing, sent.Topic, sent.Payload)
			if !ok || message.Kind != dialect.Records || message.Device != "F1" || len(message.Entries) != 1 {
				t.Fatalf("%v %+v", ok, message)
			}
			entry := message.Entries[0]
			got, want := entry.Record, test.record
			if got.Kind != want.Kind || got.Passed != want.Passed || got.Person.Name != want.Person.Name || got.Person.ID != want.Key ||
				!dialecttest.CapturedAt(entry).Equal(want.CapturedAt) || string(entry.Image) != test.image {
				t.Errorf("%+v", entry)
			}
			if len(entry.Acks) != 1 || entry.Acks[0].Topic != simulator.Subscriptions("F1")[0] {
				t.Fatalf("acks %+v", entry.Acks)
			}
			if answer := simulator.Read(entry.Acks[0].Topic, entry.Acks[0].Payload); answer != (dialect.Answer{Kind: dialect.RecordAck, Key: want.Key}) {
				t.Errorf("read as %+v", answer)
			}
		})
	}
}

func TestHeartbeatRoundTrip(t *testing.T) {
	simulator := fungxi.NewSimulator(zone)
	sent, ok := simulator.Heartbeat("F1", dialecttest.Now)
	if !ok {
		t.Fatal("no heartbeat")
	}
	message, _ := dialecttest.Decode(t, silent, sent.Topic, sent.Payload)
	if message.Kind != dialect.Heartbeat || message.Device != "F1" || len(message.Answers) != 1 {
		t.Fatalf("%+v", message)
	}
	answer := message.Answers[0]
	if want := `{"cmd":"heartD","time":"2026-04-10 10:00:12"}`; string(answer.Payload) != want || answer.Topic != "fungxi_F1_downLink" || answer.QoS != 1 {
		t.Errorf("%s %s %d", answer.Topic, answer.Payload, answer.QoS)
	}
	if read := simulator.Read(answer.Topic, answer.Payload); read.Kind != dialect.HeartbeatAnswer {
		t.Errorf("read as %+v", read)
	}
}

func TestRead(t *testing.T) {
	const down = "fungxi_F1_downLink"
	tests := map[string]struct {
		topic, payload string
		want           dialect.Answer
	}{
		"an answer without a time": {down, `{"cmd":"heartD"}`, dialect.Answer{}},
		"an answer in UTC":         {down, `{"cmd":"heartD","time":"2026-04-10T10:00:12Z"}`, dialect.Answer{}},
		"no command":               {down, `{}`, dialect.Answer{}},
		"not JSON":                 {down, `open`, dialect.Answer{}},
		"a message of its own":     {topic, `{"cmd":"heartU"}`, dialect.Answer{}},
		"a command":                {down, `{"cmd":"openDoorD"}`, dialect.Answer{Kind: dialect.CommandSent}},
		"an acknowledgement":       {down, `{"cmd":"strangerRecordD","num":5}`, dialect.Answer{Kind: dialect.RecordAck, Key: "5"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := fungxi.NewSimulator(nil).Read(test.topic, []byte(test.payload)); got != test.want {
				t.Errorf("%+v", got)
			}
		})
	}
}
