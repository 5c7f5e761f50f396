package fungxi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/dialecttest"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/fungxi"
)

const topic = "fungxi_F1A2-77_upLink"

func zone(string) *time.Location { return dialecttest.Zone }

func config(ack string) fungxi.Config {
	c := fungxi.DefaultConfig()
	c.Ack = ack
	return c
}

var echoing, silent = fungxi.New(config(fungxi.AckEcho)), fungxi.New(config(fungxi.AckNone))

func TestKinds(t *testing.T) {
	records := func(n int) string {
		return `{"cmd":"verifiedRecordU","data":[` + strings.TrimSuffix(strings.Repeat("{},", n), ",") + `]}`
	}
	tests := map[string]struct {
		payload string
		kind    dialect.Kind
		name    string
		entries int // -1: malformed
	}{
		"heartbeat":            {`{"cmd":"heartU"}`, dialect.Heartbeat, "heartU", 0},
		"heartbeat with more":  {`{"cmd":"heartU","data":5,"x":[{}]}`, dialect.Heartbeat, "heartU", 0},
		"verified":             {records(1), dialect.Records, "verifiedRecordU", 1},
		"several":              {records(7), dialect.Records, "verifiedRecordU", 7},
		"a hundred":            {records(100), dialect.Records, "verifiedRecordU", 100},
		"a hundred and one":    {records(101), dialect.Records, "verifiedRecordU", 100},
		"a thousand":           {records(1000), dialect.Records, "verifiedRecordU", 100},
		"an empty list":        {records(0), dialect.Records, "verifiedRecordU", 0},
		"an object for a list": {`{"cmd":"strangerRecordU","data":{"num":1}}`, dialect.Records, "strangerRecordU", 1},
		"null for a list":      {`{"cmd":"strangerRecordU","data":null}`, dialect.Records, "strangerRecordU", 0},
		"no list":              {`{"cmd":"strangerRecordU"}`, dialect.Records, "strangerRecordU", 0},
		"some are not records": {`{"cmd":"strangerRecordU","data":[null,{},7]}`, dialect.Records, "strangerRecordU", 1},
		"none is a record":     {`{"cmd":"strangerRecordU","data":[7]}`, 0, "", -1},
		"a word for a list":    {`{"cmd":"strangerRecordU","data":"x"}`, 0, "", -1},
		"unknown":              {`{"cmd":"doorOpenU"}`, dialect.Unknown, "doorOpenU", 0},
		"unknown, unprintable": {`{"cmd":"\u0000` + strings.Repeat("é", 100) + `"}`, dialect.Unknown, strings.Repeat("?", 64), 0},
		"other capitals":       {`{"cmd":"HEARTU"}`, dialect.Unknown, "HEARTU", 0},
		"no command":           {`{}`, dialect.Unknown, "", 0},
		"null for a command":   {`{"cmd":null}`, dialect.Unknown, "", 0},
		"the last command":     {`{"cmd":"heartU","cmd":"x"}`, dialect.Unknown, "x", 0},
		"a list":               {`[{"cmd":"heartU"}]`, 0, "", -1},
		"not JSON":             {"\xff\xd8\xff", 0, "", -1},
		"trailing junk":        {`{"cmd":"heartU"}}`, 0, "", -1},
		"deeply nested":        {`{"cmd":"heartU","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, 0, "", -1},
		"byte order mark":      {"\xef\xbb\xbf{\"cmd\":\"heartU\"}", dialect.Heartbeat, "heartU", 0},
		"nothing":              {"", 0, "", -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, silent, topic, []byte(test.payload))
			if ok != (test.entries >= 0) {
				t.Fatalf("a message: %v", ok)
			}
			if ok && (message.Kind != test.kind || message.Name != test.name || len(message.Entries) != test.entries || message.Device != "F1A2-77") {
				t.Errorf("%+v", message)
			}
		})
	}
}

func TestPassed(t *testing.T) {
	tests := map[string]struct {
		fields string
		want   bool
	}{
		"string and number": {`"personType":"1","verifiedCode":0`, true},
		"number and string": {`"personType":1,"verifiedCode":"0"`, true},
		"fractions":         {`"personType":1.0,"verifiedCode":"0.0"`, true},
		"another code":      {`"personType":"1","verifiedCode":1`, false},
		"another type":      {`"personType":"0","verifiedCode":0`, false},
		"no code":           {`"personType":"1"`, false},
		"an empty code":     {`"personType":"1","verifiedCode":""`, false},
		"null for a code":   {`"personType":"1","verifiedCode":null`, false},
		"false for a code":  {`"personType":"1","verifiedCode":false`, false},
		"true for a type":   {`"personType":true,"verifiedCode":0`, false},
		"a list":            {`"personType":["1"],"verifiedCode":0`, false},
		"refused at last":   {`"verifiedCode":0,"personType":"1","verifiedCode":1`, false},
		"a huge number":     {`"personType":1e999,"verifiedCode":0`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, cmd := range []string{"verifiedRecordU", "strangerRecordU"} {
				message, ok := dialecttest.Decode(t, silent, topic, fmt.Appendf(nil, `{"cmd":%q,"data":[{%s}]}`, cmd, test.fields))
				want := test.want && cmd == "verifiedRecordU" // a stranger never passes
				if !ok || message.Entries[0].Record.Passed != want {
					t.Errorf("%s: %+v", cmd, message)
				}
			}
		})
	}
}

func TestEntry(t *testing.T) {
	none := "The terminal sent no image."
	digest := func(verdict string) string { return wire.Digest(verdict) }
	tests := map[string]struct {
		data, key, image, reason string
		at                       time.Time
	}{
		"all":               {`"num":17,"time":"2026-04-10 10:00:07","liveImageBase64":"QUJD"`, "verifiedRecordU|17|2026-04-10 10:00:07", "ABC", "", time.Date(2026, 4, 10, 8, 0, 7, 0, time.UTC)},
		"no image":          {`"num":"17"`, "verifiedRecordU|17|", "", none, time.Time{}},
		"only a time":       {`"time":1775815207,"liveImageBase64":null`, "verifiedRecordU||1775815207", "", none, time.Unix(1775815207, 0)},
		"a separator in it": {`"num":"1|2","time":"3"`, "verifiedRecordU|1%7C2|3", "", none, time.Time{}},
		"only an image":     {`"num":null,"time":"","liveImageBase64":"data:image/png;base64,QUJD"`, "", "ABC", "", time.Time{}},
		"neither":           {`"name":"x"`, digest(`{"name":"x"}`), "", none, time.Time{}},
		"broken base64":     {`"num":1,"liveImageBase64":"QUJDQ"`, "verifiedRecordU|1|", "", "The image is not valid base64.", time.Time{}},
		"an object":         {`"num":1,"liveImageBase64":{}`, "verifiedRecordU|1|", "", "The image is not valid base64.", time.Time{}},
		"a long number":     {`"num":"` + strings.Repeat("7", 100) + `"`, "verifiedRecordU|" + digest(strings.Repeat("7", 100)) + "|", "", none, time.Time{}},
		"impossible time":   {`"num":1,"time":"2026-02-30 10:00:07"`, "verifiedRecordU|1|2026-02-30 10:00:07", "", none, time.Time{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, silent, topic, []byte(`{"cmd":"verifiedRecordU","data":[{`+test.data+`}]}`))
			if !ok {
				t.Fatal("malformed")
			}
			entry := message.Entries[0]
			if r := entry.Record; r.Key == "" || entry.FormerKey != test.key || string(entry.Image) != test.image || r.Reason != test.reason || !dialecttest.CapturedAt(entry).Equal(test.at) || entry.Acks != nil {
				t.Errorf("%+v %q", r, entry.Image)
			}
		})
	}
}

// TestLargeImage: a record is not discarded because its image is too large, nor are the
// others of its message.
func TestLargeImage(t *testing.T) {
	c := config(fungxi.AckNone)
	c.MaxImageBytes = 1 << 20
	payload := fmt.Appendf(nil, `{"cmd":"verifiedRecordU","data":[{"num":1,"liveImageBase64":%q},{"num":2,"liveImageBase64":"QUJD"}]}`, strings.Repeat("QUJD", 10<<20/4))
	message, ok := dialecttest.Decode(t, fungxi.New(c), topic, payload)
	if !ok || len(message.Entries) != 2 {
		t.Fatalf("%v, %d entries", ok, len(message.Entries))
	}
	if got, want := message.Entries[0].Record.Reason, "The image has 7864320 bytes; at most 1048576 are accepted."; got != want || message.Entries[0].Image != nil {
		t.Error(got)
	}
	if string(message.Entries[1].Image) != "ABC" {
		t.Error("the other image was lost")
	}
}

func TestMatch(t *testing.T) {
	long := strings.Repeat("x", 64)
	tests := map[string]struct {
		topic, device string
		ok            bool
	}{
		"a terminal":          {topic, "F1A2-77", true},
		"64 bytes":            {"fungxi_" + long + "_upLink", long, true},
		"65 bytes":            {"fungxi_x" + long + "_upLink", "", true},
		"64 kB":               {"fungxi_" + strings.Repeat(long, 1024) + "_upLink", "", true},
		"a topic of ours":     {"fungxi_1_downLink", "", false},
		"its name in it":      {"fungxi__upLink_upLink", "_upLink", true},
		"no serial number":    {"fungxi__upLink", "", true},
		"no place for one":    {"fungxi_upLink", "", false},
		"two levels":          {"fungxi_a/b_upLink", "", true},
		"a wildcard":          {"fungxi_+_upLink", "", true},
		"another wildcard":    {"fungxi_#_upLink", "", true},
		"not UTF-8":           {"fungxi_\xff_upLink", "", true},
		"another topic":       {"zigbee2mqtt", "", false},
		"nothing":             {"", "", false},
		"something before it": {"/fungxi_1_upLink", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			device, ok := dialecttest.Match(t, silent, test.topic)
			if device != test.device || ok != test.ok {
				t.Errorf("%q, %v", device, ok)
			}
			_, err := silent.Decode(test.topic, []byte(`{"cmd":"heartU"}`), dialect.Hints{ReceivedAt: dialecttest.Now})
			if (err == nil) != (test.device != "") || err != nil && !errors.Is(err, dialect.ErrMalformed) {
				t.Errorf("decoded: %v", err)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	tests := map[string]struct{ device, body, want string }{
		"unchanged":              {"F1", `{"cmd":"openDoor", "data": {"x":[1,1.0,"é"]}}`, `{"cmd":"openDoor", "data": {"x":[1,1.0,"é"]}}`},
		"space around it":        {"F1", " {\"cmd\":\"x\"}\n", `{"cmd":"x"}`},
		"a megabyte":             {"F1", `{"cmd":"x","d":"` + strings.Repeat("y", 1<<20-18) + `"}`, `{"cmd":"x","d":"` + strings.Repeat("y", 1<<20-18) + `"}`},
		"a byte above the limit": {"F1", `{"cmd":"x","d":"` + strings.Repeat("y", 1<<20-17) + `"}`, ""},
		"no command":             {"F1", `{"operator":"Unlock"}`, ""},
		"an empty command":       {"F1", `{"cmd":""}`, ""},
		"a list":                 {"F1", `[{"cmd":"x"}]`, ""},
		"not JSON":               {"F1", `open`, ""},
		"nothing":                {"F1", ``, ""},
		"not UTF-8":              {"F1", "{\"cmd\":\"\xff\"}", ""},
		"deep":                   {"F1", `{"cmd":"x","d":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`, ""},
		"an invalid device":      {"a/b", `{"cmd":"x"}`, ""},
		"no device":              {"", `{"cmd":"x"}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := silent.Command(test.device, "c-1", json.RawMessage(test.body), dialecttest.Now)
			if test.want == "" {
				if !errors.Is(err, dialect.ErrNoSuchCommand) {
					t.Error(err)
				}
				return
			}
			if err != nil || out.Topic != "fungxi_F1_downLink" || string(out.Payload) != test.want || out.QoS != 1 {
				t.Errorf("%.200s %v", out.Payload, err)
			}
			if answer := fungxi.NewSimulator(zone).Read(out.Topic, out.Payload); answer.Kind != dialect.CommandSent {
				t.Errorf("read as %+v", answer)
			}
		})
	}
}

func TestSubscriptions(t *testing.T) {
	c := config(fungxi.AckNone)
	c.Devices = []string{"a", "b"}
	tests := map[string]struct {
		dialect *fungxi.Dialect
		want    []dialect.Subscription
	}{
		"all":  {silent, []dialect.Subscription{{Filter: "+"}}},
		"some": {fungxi.New(c), []dialect.Subscription{{Filter: "fungxi_a_upLink"}, {Filter: "fungxi_b_upLink"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.dialect.Subscriptions(); !slices.Equal(got, test.want) {
				t.Error(got)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	tests := map[string]struct {
		change func(*fungxi.Config)
		want   []string
	}{
		"defaults": {func(*fungxi.Config) {}, nil},
		"echo":     {func(c *fungxi.Config) { c.Ack = "echo" }, nil},
		"no presence": {func(c *fungxi.Config) {
			c.Heartbeat, c.OfflineAfter = 0, 0
		}, nil},
		"all wrong": {func(c *fungxi.Config) {
			*c = fungxi.Config{Ack: "twice", Heartbeat: time.Minute, OfflineAfter: time.Second, Devices: []string{"a/b"}}
		}, []string{`ack must be none or echo, not "twice"`, "devices must", `"a/b"`, "max_image_bytes must", "offline_after must"}},
		"a negative interval": {func(c *fungxi.Config) { c.Heartbeat = -1 }, []string{"heartbeat must"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := fungxi.DefaultConfig()
			test.change(&c)
			err := c.Validate()
			if (err == nil) != (test.want == nil) {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v lacks %q", err, want)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	image := make([]byte, 100_000)
	for i := range image {
		image[i] = byte(i * 7)
	}
	sent := fungxi.NewSimulator(zone).Record("F1", edgelens.Record{
		Kind: edgelens.RecordVerified, Key: "17", Passed: true, Person: edgelens.Person{Name: "张三"}, CapturedAt: dialecttest.Now,
	}, image)
	b.SetBytes(int64(len(sent.Payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := silent.Decode(sent.Topic, sent.Payload, dialect.Hints{ReceivedAt: dialecttest.Now}); err != nil {
			b.Fatal(err)
		}
	}
}
