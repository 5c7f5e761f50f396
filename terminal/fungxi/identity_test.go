package fungxi_test

import (
	"testing"

	"edgelens/terminal/dialect/dialecttest"
)

// TestIdentity: two records are the same where number, time, person, verdict and image are
// the same, in any notation, and different otherwise.
func TestIdentity(t *testing.T) {
	const all = `"num":6,"time":"2026-04-10 10:00:07","name":"Ann","personType":"1","verifiedCode":0`
	tests := map[string]struct {
		a, b string
		same bool
	}{
		"the same":                           {all, all, true},
		"another order":                      {all, `"verifiedCode":0,"personType":"1","name":"Ann","time":"2026-04-10 10:00:07","num":6`, true},
		"a number as a string":               {`"num":6,"verifiedCode":0`, `"num":"6","verifiedCode":"0"`, true},
		"escapes":                            {`"num":6,"name":"\u5f20"`, `"num":6,"name":"张"`, true},
		"another temperature":                {all + `,"temp":36.5`, all + `,"temp":36.6`, true},
		"another number":                     {all, all + `,"num":7`, false},
		"another time":                       {all, all + `,"time":"2026-04-10 10:00:08"`, false},
		"another time, under another name":   {`"num":6,"CreateTime":"2026-04-10 10:00:07"`, `"num":6,"CreateTime":"2026-04-10 10:00:08"`, false},
		"another person":                     {all, all + `,"name":"Bob"`, false},
		"another person, not UTF-8":          {"\"num\":6,\"name\":\"\xd5\xc5\"", "\"num\":6,\"name\":\"\xc0\xee\"", false},
		"another verdict":                    {all, all + `,"verifiedCode":1`, false},
		"another type of person":             {all, all + `,"personType":"0"`, false},
		"another identity card":              {all + `,"idCard":"1"`, all + `,"idCard":"2"`, false},
		"another card, in other letters":     {all + `,"CARD_NO":"1"`, all + `,"CARD_NO":"2"`, false},
		"another card, nested":               {all + `,"user":{"icCard":1}`, all + `,"user":{"icCard":2}`, false},
		"the same card":                      {all + `,"idCard":1`, all + `,"idCard":"1"`, true},
		"resent, counted":                    {all + `,"idCard":1,"sendNo":1,"msgId":"a"`, all + `,"idCard":1,"sendNo":2,"msgId":"b"`, true},
		"an empty card":                      {all + `,"idCard":""`, all, true},
		"no name":                            {all, all + `,"name":""`, false},
		"images that cannot be read":         {all + `,"liveImageBase64":"!"`, all + `,"liveImageBase64":"?"`, false},
		"the same image that cannot be read": {all + `,"liveImageBase64":"!"`, all + `,"liveImageBase64":"!"`, true},
		"none, and one that cannot be read":  {all, all + `,"liveImageBase64":"!"`, false},
		"neither number nor time":            {`"name":"Ann"`, `"name":"Bob"`, false},
		"neither, and the same":              {`"name":"Ann","x":[1]`, `"name":"Ann","x":[1]`, true},
		"neither, and not UTF-8":             {"\"name\":\"\xd5\xc5\"", "\"name\":\"\xc0\xee\"", false},
		"neither, of the same length":        {`"name":"Ann","liveImageBase64":"QUJD"`, `"name":"Bob","liveImageBase64":"QUJD"`, false},
	}
	key := func(t *testing.T, cmd, data string) string {
		t.Helper()
		message, ok := dialecttest.Decode(t, silent, topic, []byte(`{"cmd":"`+cmd+`","data":[{`+data+`}]}`))
		if !ok {
			t.Fatal("malformed")
		}
		return message.Entries[0].Record.Key
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if a, b := key(t, "verifiedRecordU", test.a), key(t, "verifiedRecordU", test.b); (a == b) != test.same {
				t.Errorf("%s\n%s", a, b)
			}
		})
	}
	if key(t, "verifiedRecordU", all) == key(t, "strangerRecordU", all) {
		t.Error("a stranger has the key of a known person")
	}
}
