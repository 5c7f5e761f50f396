package facesluice_test

import (
	"fmt"
	"strings"
	"testing"

	"edgelens/terminal/dialect/dialecttest"
)

// A person has passed only where every part of the verdict is understood and good; the doubt
// names the part that is not understood.
func TestVerdict(t *testing.T) {
	const good = `"VerifyStatus":"1"`
	long := strings.Repeat("x", 5000)
	for name, test := range map[string]struct {
		beside, info string
		passed       bool
		doubt        string // in it; empty for none
	}{
		"allowed":                                {"", good + `,"PersonType":"0"`, true, ""},
		"allowed, without a type":                {"", good, true, ""},
		"the whole of a record":                  {`,"messageId":"1"`, good + `,"PersonType":"0","personId":"3","personName":"A","persionName":"A","customId":"","telnum":" ","isNoMask":"1","Sendintime":1,"PushType":0,"PersonUUID":"x","CustomizeID":0,"cardType2":0,"VerfyType":1,"similarity1":"83.0","targetPosInScene":[1,2,3,4]`, true, ""},
		"on the block list":                      {"", good + `,"PersonType":"1"`, false, ""},
		"refused":                                {"", `"VerifyStatus":2,"PersonType":0`, false, ""},
		"not registered":                         {"", `"VerifyStatus":3`, false, ""},
		"another type":                           {"", good + `,"PersonType":"2"`, false, `PersonType is "2"`},
		"a word":                                 {"", good + `,"PersonType":"blocklist"`, false, `"blocklist"`},
		"a negative type":                        {"", good + `,"PersonType":-1`, false, `"-1"`},
		"almost 0":                               {"", good + `,"PersonType":0.001`, false, `"0.001"`},
		"an exponent":                            {"", good + `,"PersonType":0e1`, false, `"0e1"`},
		"true":                                   {"", good + `,"PersonType":true`, false, `"true"`},
		"false":                                  {"", good + `,"PersonType":false`, false, `"false"`},
		"null":                                   {"", good + `,"PersonType":null`, false, `"null"`},
		"an empty string":                        {"", good + `,"PersonType":""`, false, "PersonType"},
		"a space":                                {"", good + `,"PersonType":" "`, false, "PersonType"},
		"an object":                              {"", good + `,"PersonType":{"v":0}`, false, "PersonType"},
		"a list":                                 {"", good + `,"PersonType":[0]`, false, "PersonType"},
		"5 kB":                                   {"", good + `,"PersonType":"` + long + `"`, false, "PersonType"},
		"small letters":                          {"", good + `,"personType":"1"`, false, `"personType" may be meant for PersonType`},
		"capitals":                               {"", good + `,"PERSONTYPE":"0"`, false, "PERSONTYPE"},
		"an underscore":                          {"", good + `,"person_type":1`, false, "person_type"},
		"misspelled":                             {"", good + `,"PersionType":1`, false, "PersionType"},
		"cut off":                                {"", good + `,"PersonTyp":1`, false, "PersonTyp"},
		"more letters":                           {"", good + `,"myPersonTypes":1`, false, "myPersonTypes"},
		"a letter of another script":             {"", good + `,"\u0420ersonType":1`, false, "may be meant"},
		"an escaped name":                        {"", good + `,"\u0050ersonType":"1"`, false, ""},
		"both, agreeing":                         {"", good + `,"PersonType":0,"personType":0`, false, "personType"},
		"both, disagreeing":                      {"", good + `,"PersonType":0,"persontype":1`, false, "persontype"},
		"twice, disagreeing":                     {"", good + `,"PersonType":1,"PersonType":0`, false, "twice"},
		"twice, agreeing":                        {"", good + `,"PersonType":0,"PersonType":0`, true, ""},
		"twice, null at last":                    {"", good + `,"PersonType":1,"PersonType":null`, false, "twice"},
		"beside info":                            {`,"PersonType":"1"`, good, false, "PersonType"},
		"beside info and in it":                  {`,"PersonType":"0"`, good + `,"PersonType":"0"`, false, "PersonType"},
		"nested":                                 {"", good + `,"person":{"PersonType":1}`, false, "PersonType"},
		"nested in a list":                       {"", good + `,"persons":[{"x":1},{"person_type":1}]`, false, "person_type"},
		"an unknown status":                      {"", `"VerifyStatus":"0","PersonType":"0"`, false, `VerifyStatus is "0"`},
		"a status of 4":                          {"", `"VerifyStatus":4`, false, `VerifyStatus is "4"`},
		"no status":                              {"", `"PersonType":"0"`, false, "VerifyStatus is missing"},
		"a status by another name":               {"", `"verifyStatus":1`, false, "verifyStatus"},
		"two statuses":                           {"", `"VerifyStatus":2,"VerifyStatus":1`, false, "twice"},
		"a misspelled status beside":             {"", `"VerifyStatus":1,"VerfyStatus":2`, false, "VerfyStatus"},
		"a status beside info":                   {`,"VerifyStatus":2`, good, false, "VerifyStatus"},
		"a status, refused, and an unknown type": {"", `"VerifyStatus":2,"PersonType":7`, false, `"7"`},
	} {
		t.Run(name, func(t *testing.T) {
			payload := fmt.Appendf(nil, `{"operator":"RecPush"%s,"info":{%s}}`, test.beside, test.info)
			message, ok := dialecttest.Decode(t, cameras, "mqtt/face/7/Rec", payload)
			if !ok {
				t.Fatal("malformed")
			}
			record := message.Entries[0].Record
			if record.Passed != test.passed || (record.Doubt == "") != (test.doubt == "") || !strings.Contains(record.Doubt, test.doubt) {
				t.Errorf("passed %v, doubt %q", record.Passed, record.Doubt)
			}
		})
	}
}

// A command succeeded only where the camera's whole reply is understood and good.
func TestSucceeded(t *testing.T) {
	for reply, want := range map[string]bool{
		`"code":200,"info":{"result":"ok"}`: true, `"code":"200","info":{"result":"OK"}`: true, `"info":{"result":"ok"}`: true, `"code":200`: true, `"code":200,"info":{"result":""}`: true,
		`"code":"461","info":{"result":"ok"}`: false, `"code":200,"info":{"result":"fail"}`: false, `"code":200,"info":{"result":{"a":1}}`: false, `"code":200,"info":{"result":false}`: false,
		`"Code":"461","info":{"result":"ok"}`: false, `"code":200,"info":{"Result":"fail"}`: false, `"code":461,"code":200`: false, `"code":200,"info":{"result":"fail","result":"ok"}`: false,
		`"info":{}`: false, `"info":{"detail":"ok"}`: false, `"code":true`: false, `"code":{}`: false, `"code":[200]`: false,
	} {
		message, ok := dialecttest.Decode(t, cameras, "mqtt/face/7/Ack", []byte(`{"operator":"Unlock-Ack","messageId":"c",`+reply+`}`))
		if !ok || message.Outcome == nil || message.Outcome.OK != want {
			t.Errorf("%s: %+v", reply, message.Outcome)
		}
	}
}
