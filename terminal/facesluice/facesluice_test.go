package facesluice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/dialecttest"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/facesluice"
)

func zone(string) *time.Location { return dialecttest.Zone }

func config() facesluice.Config {
	return facesluice.DefaultConfig()
}

var cameras = facesluice.New(config())

func TestKinds(t *testing.T) {
	const rec, snap, ack, basic, heart = "mqtt/face/7/Rec", "mqtt/face/7/Snap", "mqtt/face/7/Ack", "mqtt/face/basic", "mqtt/face/heartbeat"
	tests := map[string]struct {
		topic, payload string
		kind           dialect.Kind
		device, name   string
		entries        int // -1: malformed
	}{
		"heartbeat":                          {heart, `{"operator":"HeartBeat","info":{"facesluiceId":"7"}}`, dialect.Heartbeat, "7", "HeartBeat", 0},
		"serial number as a number":          {heart, `{"operator":"HeartBeat","info":{"facesluiceId":7}}`, dialect.Heartbeat, "7", "HeartBeat", 0},
		"online on the other topic":          {heart, `{"operator":"Online","info":{"facesluiceId":"7"}}`, dialect.Online, "7", "Online", 0},
		"offline":                            {basic, `{"operator":"Offline","info":{"facesluiceId":"7"}}`, dialect.Offline, "7", "Offline", 0},
		"no serial number":                   {basic, `{"operator":"Offline","info":{}}`, 0, "", "", -1},
		"no info":                            {basic, `{"operator":"Online"}`, 0, "", "", -1},
		"null for it":                        {basic, `{"operator":"Online","info":{"facesluiceId":null}}`, 0, "", "", -1},
		"a topic for a serial number":        {basic, `{"operator":"Online","info":{"facesluiceId":"a/b"}}`, 0, "", "", -1},
		"a wildcard for it":                  {basic, `{"operator":"Online","info":{"facesluiceId":"+"}}`, 0, "", "", -1},
		"64 kB for it":                       {basic, `{"operator":"Online","info":{"facesluiceId":"` + strings.Repeat("7", 64<<10) + `"}}`, 0, "", "", -1},
		"not UTF-8 for it":                   {basic, "{\"operator\":\"Online\",\"info\":{\"facesluiceId\":\"\xff\"}}", 0, "", "", -1},
		"the name of a shared topic":         {basic, `{"operator":"Online","info":{"facesluiceId":"heartbeat"}}`, 0, "", "", -1},
		"unknown, no device":                 {basic, `{"operator":"Hello"}`, dialect.Unknown, "", "Hello", 0},
		"unknown, a device":                  {basic, `{"operator":"Hello","info":{"facesluiceId":"7"}}`, dialect.Unknown, "7", "Hello", 0},
		"unknown, an invalid device":         {basic, `{"operator":"Hello","info":{"facesluiceId":"#"}}`, 0, "", "", -1},
		"record":                             {rec, `{"operator":"RecPush","info":{"facesluiceId":"7"}}`, dialect.Records, "7", "RecPush", 1},
		"record of another camera":           {rec, `{"operator":"RecPush","info":{"facesluiceId":"8"}}`, dialect.Records, "7", "RecPush", 1},
		"record on the topic for snaps":      {snap, `{"operator":"RecPush","info":{}}`, dialect.Records, "7", "RecPush", 1},
		"several records":                    {rec, `{"operator":"RecPush","info":[{},{}]}`, dialect.Records, "7", "RecPush", 2},
		"record without info":                {rec, `{"operator":"RecPush"}`, dialect.Records, "7", "RecPush", 0},
		"record with a word for info":        {rec, `{"operator":"RecPush","info":"x"}`, 0, "", "", -1},
		"101 records":                        {rec, `{"operator":"RecPush","info":[` + strings.Repeat("{},", 100) + `{}]}`, dialect.Records, "7", "RecPush", 100},
		"record on a shared topic":           {basic, `{"operator":"RecPush","info":{"facesluiceId":"7"}}`, dialect.Unknown, "7", "RecPush", 0},
		"heartbeat on the topic for records": {rec, `{"operator":"HeartBeat","info":{"facesluiceId":"7"}}`, dialect.Unknown, "7", "HeartBeat", 0},
		"stranger":                           {snap, `{"operator":"StrSnapPush","info":{}}`, dialect.Records, "7", "StrSnapPush", 1},
		"another kind of snap":               {snap, `{"operator":"ParabolicSnapPush","info":{}}`, dialect.Unknown, "7", "ParabolicSnapPush", 0},
		"reply":                              {ack, `{"operator":"Unlock-Ack","messageId":"c"}`, dialect.Reply, "7", "Unlock-Ack", 0},
		"not a reply":                        {ack, `{"operator":"Unlock","messageId":"c"}`, dialect.Unknown, "7", "Unlock", 0},
		"no operator":                        {rec, `{}`, dialect.Unknown, "7", "", 0},
		"null for all":                       {rec, `{"operator":null,"info":null}`, dialect.Unknown, "7", "", 0},
		"a list":                             {rec, `[]`, 0, "", "", -1},
		"trailing junk":                      {heart, `{"operator":"HeartBeat","info":{"facesluiceId":"7"}}{`, 0, "", "", -1},
		"byte order mark":                    {heart, "\xef\xbb\xbf" + `{"operator":"HeartBeat","info":{"facesluiceId":"7"}}`, dialect.Heartbeat, "7", "HeartBeat", 0},
		"camera by a shared name":            {"mqtt/face/basic/Rec", `{"operator":"RecPush","info":{}}`, 0, "", "", -1},
		"a topic of ours":                    {"mqtt/face/7", `{"operator":"RecPush","info":{}}`, 0, "", "", -1},
		"another dialect's":                  {"fungxi_7_upLink", `{"cmd":"heartU"}`, 0, "", "", -1},
		"the last of two serial texts":       {basic, `{"operator":"Offline","info":{"facesluiceId":"+","facesluiceId":"7"}}`, dialect.Offline, "7", "Offline", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, cameras, test.topic, []byte(test.payload))
			if ok != (test.entries >= 0) {
				t.Fatalf("a message: %v", ok)
			}
			if ok && (message.Kind != test.kind || message.Name != test.name || len(message.Entries) != test.entries || message.Device != test.device) {
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
		"allowed":             {`"VerifyStatus":"1","PersonType":"0"`, true},
		"as numbers":          {`"VerifyStatus":1,"PersonType":0`, true},
		"no type":             {`"VerifyStatus":"1"`, true},
		"on the block-list":   {`"VerifyStatus":"1","PersonType":"1"`, false},
		"on it, as a number":  {`"VerifyStatus":1,"PersonType":1.0`, false},
		"refused":             {`"VerifyStatus":"2","PersonType":"0"`, false},
		"not registered":      {`"VerifyStatus":"3"`, false},
		"no status":           {`"PersonType":"0"`, false},
		"true":                {`"VerifyStatus":true`, false},
		"a list":              {`"VerifyStatus":[1]`, false},
		"refused in the end":  {`"VerifyStatus":1,"VerifyStatus":2`, false},
		"allowed, big number": {`"VerifyStatus":1e0`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, operator := range []string{"RecPush", "StrSnapPush"} {
				message, ok := dialecttest.Decode(t, cameras, "mqtt/face/7/Rec", fmt.Appendf(nil, `{"operator":%q,"info":{%s}}`, operator, test.fields))
				want := test.want && operator == "RecPush" // a stranger never passes
				if !ok || message.Entries[0].Record.Passed != want {
					t.Errorf("%s: %+v", operator, message)
				}
			}
		})
	}
}

func TestEntry(t *testing.T) {
	none := "The terminal sent no image."
	link := "The terminal sent only a link to its image, which is not followed."
	long := strings.Repeat("x", 65)
	tests := map[string]struct{ operator, info, key, image, reason, ack string }{
		"record":           {"RecPush", `"RecordID":"2","pic":"QUJD"`, "2", "ABC", "", `{"operator":"PushAck","messageId":"ack-2","info":{"PushAckType":2,"SnapOrRecordID":2}}`},
		"record, a number": {"RecPush", `"RecordID":490805,"pic":"data:image/jpeg;base64,QUJD"`, "490805", "ABC", "", `{"operator":"PushAck","messageId":"ack-490805","info":{"PushAckType":2,"SnapOrRecordID":490805}}`},
		"stranger":         {"StrSnapPush", `"SnapID":"946","RecordID":"1","pic":"QUJD"`, "946", "ABC", "", `{"operator":"PushAck","messageId":"ack-946","info":{"PushAckType":1,"SnapOrRecordID":946}}`},
		"an odd id":        {"RecPush", `"RecordID":"a\"b","pic":"QUJD"`, `a"b`, "ABC", "", `{"operator":"PushAck","messageId":"ack-a\"b","info":{"PushAckType":2,"SnapOrRecordID":"a\"b"}}`},
		"a long id":        {"RecPush", `"RecordID":"` + long + `","pic":"QUJD"`, wire.Digest(long), "ABC", "", ""},
		"no id":            {"RecPush", `"SnapID":"1","pic":"QUJD"`, "", "ABC", "", ""},
		"null for an id":   {"StrSnapPush", `"SnapID":null,"pic":"QUJD"`, "", "ABC", "", ""},
		"nothing":          {"RecPush", ``, wire.Digest("{}"), "", none, ""},
		"a link":           {"RecPush", `"RecordID":1,"picURI":"http:\/\/192.168.1.9\/1.jpg"`, "1", "", link, `{"operator":"PushAck","messageId":"ack-1","info":{"PushAckType":2,"SnapOrRecordID":1}}`},
		"both":             {"RecPush", `"RecordID":1,"picURI":"http://x","pic":"QUJD"`, "1", "ABC", "", `{"operator":"PushAck","messageId":"ack-1","info":{"PushAckType":2,"SnapOrRecordID":1}}`},
		"a blank link":     {"RecPush", `"RecordID":1,"picURI":" ","pic":""`, "1", "", none, `{"operator":"PushAck","messageId":"ack-1","info":{"PushAckType":2,"SnapOrRecordID":1}}`},
		"broken":           {"RecPush", `"RecordID":1,"pic":"data:image/jpeg;base64,?"`, "1", "", "The image is not valid base64.", `{"operator":"PushAck","messageId":"ack-1","info":{"PushAckType":2,"SnapOrRecordID":1}}`},
		"only a scene":     {"StrSnapPush", `"SnapID":3,"scene":"QUJD"`, "3", "", none, `{"operator":"PushAck","messageId":"ack-3","info":{"PushAckType":1,"SnapOrRecordID":3}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, cameras, "mqtt/face/7/Rec", fmt.Appendf(nil, `{"operator":%q,"info":{%s}}`, test.operator, test.info))
			if !ok {
				t.Fatal("malformed")
			}
			entry := message.Entries[0]
			if r := entry.Record; r.Key == "" || entry.FormerKey != test.key || string(entry.Image) != test.image || r.Reason != test.reason || strings.Contains(string(r.Verdict), "QUJD") {
				t.Errorf("%+v %q", r, entry.Image)
			}
			var ack string
			for _, out := range entry.Acks {
				ack += string(out.Payload)
				if out.Topic != "mqtt/face/7" || out.QoS != 0 {
					t.Errorf("%s at %d", out.Topic, out.QoS)
				}
			}
			if ack != test.ack {
				t.Errorf("acks %s", ack)
			}
		})
	}
}

func TestPerson(t *testing.T) {
	tests := map[string]struct{ info, id, name string }{
		"as in the document":      {`"customId":"EMP1","personId":"22","persionName":"Ana"`, "EMP1", "Ana"},
		"as real cameras send it": {`"customId":"","personId":22,"personName":"Ana"`, "22", "Ana"},
		"blank":                   {`"customId":" ","personId":"22","personName":" ","persionName":" Ana "`, "22", "Ana"},
		"nothing":                 {`"customId":null`, "", ""},
		"an image for a name":     {`"personName":"` + strings.Repeat("QUJD", 100) + `"`, "", ""},
		"two lines for a name":    {`"personName":"A\nB"`, "", "A B"},
		"64 kB for a number":      {`"personId":"` + strings.Repeat("7 ", 32<<10) + `"`, strings.Repeat("7 ", 99) + "7", ""},
		"an object for a name":    {`"personName":{"a":1}`, "", ""},
		"not UTF-8 in the name":   {"\"personName\":\"A\xff\"", "", "Aÿ"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, cameras, "mqtt/face/7/Rec", []byte(`{"operator":"RecPush","info":{`+test.info+`}}`))
			if !ok {
				t.Fatal("malformed")
			}
			if person := message.Entries[0].Record.Person; person.ID != test.id || person.Name != test.name {
				t.Errorf("%+v", person)
			}
		})
	}
}

func TestOnlineAnswer(t *testing.T) {
	tests := map[string]struct{ messageID, want string }{
		"without an id":  {``, "1775808012000"},
		"with an id":     {`"messageId":"m-1",`, "m-1"},
		"with a number":  {`"messageId":10201,`, "10201"},
		"with a long id": {`"messageId":"` + strings.Repeat("x", 1000) + `",`, "1775808012000"},
		"with an object": {`"messageId":{},`, "1775808012000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, cameras, "mqtt/face/basic", []byte(`{"operator":"Online",`+test.messageID+`"info":{"facesluiceId":"7"}}`))
			if !ok || len(message.Answers) != 1 {
				t.Fatalf("%v %+v", ok, message)
			}
			want := `{"operator":"Online-Ack","messageId":"` + test.want + `","info":{"facesluiceId":"7","result":"ok"}}`
			if got := message.Answers[0]; string(got.Payload) != want || got.Topic != "mqtt/face/7" || got.QoS != 0 {
				t.Errorf("%s: %s", got.Topic, got.Payload)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	tests := map[string]struct {
		payload string
		want    dialect.Outcome
	}{
		"done":                 {`{"operator":"Unlock-Ack","messageId":"c","code":"200","info":{"result":"ok","detail":""}}`, dialect.Outcome{Command: "c", Name: "Unlock", OK: true, Detail: "code 200, ok"}},
		"without a code":       {`{"operator":"AddPersons-Ack","messageId":"c","info":{"result":"OK"}}`, dialect.Outcome{Command: "c", Name: "AddPersons", OK: true, Detail: "OK"}},
		"without a result":     {`{"operator":"X-Ack","messageId":5,"code":200}`, dialect.Outcome{Command: "5", Name: "X", OK: true, Detail: "code 200"}},
		"without either":       {`{"operator":"X-Ack","messageId":"c"}`, dialect.Outcome{Command: "c", Name: "X"}},
		"refused":              {`{"operator":"X-Ack","messageId":"c","code":"461","info":{"result":"ok","detail":"no customId"}}`, dialect.Outcome{Command: "c", Name: "X", Detail: "code 461, ok: no customId"}},
		"failed":               {`{"operator":"X-Ack","messageId":"c","code":"200","info":{"result":"fail"}}`, dialect.Outcome{Command: "c", Name: "X", Detail: "code 200, fail"}},
		"a long text":          {`{"operator":"X-Ack","info":{"result":"fail","detail":"` + strings.Repeat("é ", 300) + `"}}`, dialect.Outcome{Name: "X", Detail: "fail: " + strings.Repeat("é ", 64) + "é"}},
		"an image":             {`{"operator":"X-Ack","info":{"result":"ok","detail":"` + strings.Repeat("QUJD", 300) + `"}}`, dialect.Outcome{Name: "X", OK: true, Detail: "ok"}},
		"of a record":          {`{"operator":"PushAck-Ack","messageId":"ack-2","info":{"result":"ok"}}`, dialect.Outcome{Name: "PushAck", OK: true, Detail: "ok"}},
		"a long id":            {`{"operator":"X-Ack","messageId":"` + strings.Repeat("x", 200) + `"}`, dialect.Outcome{Command: strings.Repeat("x", 128), Name: "X"}},
		"a list for the infos": {`{"operator":"X-Ack","messageId":"c","info":[{"result":"ok"}]}`, dialect.Outcome{Command: "c", Name: "X"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, cameras, "mqtt/face/7/Ack", []byte(test.payload))
			if !ok || message.Outcome == nil {
				t.Fatalf("%v %+v", ok, message)
			}
			if got := *message.Outcome; got != test.want {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	tests := map[string]struct{ device, body, want string }{
		"open":                {"7", `{"cmd":"open"}`, `{"operator":"Unlock","messageId":"c-1","info":{"facesluiceId":"7","openDoor":1}}`},
		"open and show":       {"7", `{"cmd":"open","uid":"00021","Showinfo":"please pass"}`, `{"operator":"Unlock","messageId":"c-1","info":{"uid":"00021","openDoor":"1","Showinfo":"please pass"}}`},
		"the camera's own":    {"7", `{"operator":"Unlock","info":{"uid":"1","openDoor":"1"}}`, `{"messageId":"c-1","operator":"Unlock","info":{"uid":"1","openDoor":"1"}}`},
		"another id":          {"7", `{"messageId":"mine","operator":"Unlock","info":{"messageId":"stays"}}`, `{"messageId":"c-1","operator":"Unlock","info":{"messageId":"stays"}}`},
		"order and numbers":   {"7", `{"DataBegin":"BeginFlag","operator":"DeletePersons","PersonNum":1.0,"info":{"customId":["a"]},"DataEnd":"EndFlag"}`, `{"messageId":"c-1","DataBegin":"BeginFlag","operator":"DeletePersons","PersonNum":1.0,"info":{"customId":["a"]},"DataEnd":"EndFlag"}`},
		"close":               {"7", `{"cmd":"close"}`, ""},
		"neither":             {"7", `{}`, ""},
		"a list":              {"7", `[]`, ""},
		"not JSON":            {"7", `open`, ""},
		"too large":           {"7", `{"operator":"X","info":"` + strings.Repeat("x", 1<<20) + `"}`, ""},
		"a topic for others":  {"7/Rec", `{"cmd":"open"}`, ""},
		"a shared topic":      {"basic", `{"cmd":"open"}`, ""},
		"no device":           {"", `{"cmd":"open"}`, ""},
		"not UTF-8":           {"7", "{\"operator\":\"\xff\"}", ""},
		"null for a command":  {"7", `{"cmd":null,"operator":null}`, ""},
		"a number for it":     {"7", `{"cmd":1}`, ""},
		"markup in the names": {"7", `{"operator":"X","<a>":"<b>"}`, `{"messageId":"c-1","operator":"X","<a>":"<b>"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, err := cameras.Command(test.device, "c-1", json.RawMessage(test.body), dialecttest.Now)
			if test.want == "" {
				if !errors.Is(err, dialect.ErrNoSuchCommand) {
					t.Error(err)
				}
				return
			}
			if err != nil || out.Topic != "mqtt/face/7" || string(out.Payload) != test.want || out.QoS != 0 {
				t.Errorf("%s %v", out.Payload, err)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	long := strings.Repeat("x", 64)
	tests := map[string]struct {
		topic, device string
		ok            bool
	}{
		"record":           {"mqtt/face/7/Rec", "7", true},
		"snap":             {"mqtt/face/7/Snap", "7", true},
		"reply":            {"mqtt/face/7/Ack", "7", true},
		"basic":            {"mqtt/face/basic", "", true},
		"heartbeat":        {"mqtt/face/heartbeat", "", true},
		"64 bytes":         {"mqtt/face/" + long + "/Rec", long, true},
		"65 bytes":         {"mqtt/face/x" + long + "/Rec", "", true},
		"a shared name":    {"mqtt/face/basic/Rec", "", true},
		"two levels":       {"mqtt/face/a/b/Rec", "", true},
		"none":             {"mqtt/face//Rec", "", true},
		"a wildcard":       {"mqtt/face/+/Rec", "", true},
		"no level":         {"mqtt/face/Rec", "", false},
		"a topic of ours":  {"mqtt/face/7", "", false},
		"another one":      {"mqtt/face/7/Other", "", false},
		"another dialect":  {"fungxi_7_upLink", "", false},
		"nothing":          {"", "", false},
		"something before": {"x/mqtt/face/7/Rec", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if device, ok := dialecttest.Match(t, cameras, test.topic); device != test.device || ok != test.ok {
				t.Errorf("%q, %v", device, ok)
			}
		})
	}
	want := []dialect.Subscription{
		{Filter: "mqtt/face/+/Rec"}, {Filter: "mqtt/face/+/Snap"}, {Filter: "mqtt/face/+/Ack", Everywhere: true},
		{Filter: "mqtt/face/basic"}, {Filter: "mqtt/face/heartbeat"},
	}
	if got := cameras.Subscriptions(); !slices.Equal(got, want) {
		t.Errorf("subscriptions %v", got)
	}
}

func TestConfig(t *testing.T) {
	if err := facesluice.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := facesluice.Config{Heartbeat: time.Minute, OfflineAfter: time.Minute}.Validate()
	for _, want := range []string{"max_image_bytes must", "offline_after must"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}
