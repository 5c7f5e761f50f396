package facesluice_test

import (
	"testing"

	"edgelens/terminal/dialect/dialecttest"
)

// TestIdentity: two records are the same where number, time, person, verdict and image are
// the same, and different otherwise.
func TestIdentity(t *testing.T) {
	const all = `"RecordID":"5","time":"2026-04-10 10:00:07","personId":"3","personName":"Ann","VerifyStatus":"1","PersonType":"0"`
	tests := map[string]struct {
		a, b string // members of the message
		same bool
	}{
		"the same":                      {`"info":{` + all + `}`, `"info":{` + all + `}`, true},
		"resent":                        {`"messageId":"1","info":{` + all + `,"Sendintime":1,"PushType":0}`, `"messageId":"2","info":{` + all + `,"Sendintime":0,"PushType":2}`, true},
		"resent, with time beside":      {`"time":"2026-04-10 10:00:07","info":{` + all + `}`, `"time":"2026-04-10 10:00:17","info":{` + all + `}`, true},
		"a number":                      {`"info":{"RecordID":5,"personId":3}`, `"info":{"RecordID":"5","personId":"3"}`, true},
		"the numbers restart":           {`"info":{` + all + `}`, `"info":{` + all + `,"time":"2026-05-10 10:00:07"}`, false},
		"with the time beside info":     {`"time":"2026-04-10 10:00:07","info":{"RecordID":"5"}`, `"time":"2026-05-10 10:00:07","info":{"RecordID":"5"}`, false},
		"another person":                {`"info":{` + all + `}`, `"info":{` + all + `,"personName":"Bob"}`, false},
		"another person in old letters": {`"info":{"RecordID":"5","persionName":"Ann"}`, `"info":{"RecordID":"5","persionName":"Bob"}`, false},
		"another number of the person":  {`"info":{` + all + `}`, `"info":{` + all + `,"customId":"E7"}`, false},
		"another verdict":               {`"info":{` + all + `}`, `"info":{` + all + `,"VerifyStatus":"2"}`, false},
		"images that cannot be read":    {`"info":{` + all + `,"pic":"!"}`, `"info":{` + all + `,"pic":"?"}`, false},
		"no number, another person":     {`"info":{"personName":"Ann"}`, `"info":{"personName":"Bob"}`, false},
		"another identity card":         {`"info":{` + all + `,"idCard":"1"}`, `"info":{` + all + `,"idCard":"2"}`, false},
		"another card number":           {`"info":{` + all + `,"cardNum2":"1"}`, `"info":{` + all + `,"cardNum2":"2"}`, false},
		"another telephone number":      {`"info":{` + all + `,"telnum":"1"}`, `"info":{` + all + `,"telnum":"2"}`, false},
		"another certificate, nested":   {`"info":{` + all + `,"person":{"certificateNumber":"1"}}`, `"info":{` + all + `,"person":{"certificateNumber":"2"}}`, false},
		"the same cards":                {`"info":{` + all + `,"idCard":"1","icCard":2}`, `"info":{"icCard":"2","idCard":"1",` + all + `}`, true},
		"resent, counted":               {`"info":{` + all + `,"idCard":"1","sendNum":1,"messageId":"a","retryNo":0}`, `"info":{` + all + `,"idCard":"1","sendNum":2,"messageId":"b","retryNo":1}`, true},
		"another likeness":              {`"info":{` + all + `,"similarity1":"83"}`, `"info":{` + all + `,"similarity1":"84"}`, true},
		"no number, the same":           {`"info":{"personName":"Ann"}`, `"info":{"personName":"Ann"}`, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			key := func(message string) string {
				t.Helper()
				read, ok := dialecttest.Decode(t, cameras, "mqtt/face/7/Rec", []byte(`{"operator":"RecPush",`+message+`}`))
				if !ok {
					t.Fatal("malformed")
				}
				return read.Entries[0].Record.Key
			}
			if a, b := key(test.a), key(test.b); (a == b) != test.same {
				t.Errorf("%s\n%s", a, b)
			}
		})
	}
}
