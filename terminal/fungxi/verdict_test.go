package fungxi_test

import (
	"fmt"
	"strings"
	"testing"

	"edgelens/terminal/dialect/dialecttest"
)

// A person has passed only where every part of the verdict is understood and good; the doubt
// names the part that is not understood.
func TestVerdict(t *testing.T) {
	for name, test := range map[string]struct {
		beside, data string
		passed       bool
		doubt        string // in it; empty for none
	}{
		"verified":                    {"", `"personType":"1","verifiedCode":0`, true, ""},
		"with all the rest":           {`,"sn":"x"`, `"personType":"1","verifiedCode":0,"num":1,"name":"A","time":"2026-04-10 10:00:07","personName":"A","personId":3,"cardType":"0","verifyMode":1`, true, ""},
		"refused":                     {"", `"personType":"1","verifiedCode":4`, false, ""},
		"refused, below zero":         {"", `"personType":"1","verifiedCode":-1`, false, ""},
		"an unknown person":           {"", `"personType":"0","verifiedCode":0`, false, ""},
		"another type":                {"", `"personType":"2","verifiedCode":0`, false, `personType is "2"`},
		"another type, refused":       {"", `"personType":"2","verifiedCode":1`, false, `personType is "2"`},
		"a word for a type":           {"", `"personType":"admin","verifiedCode":0`, false, `"admin"`},
		"no type":                     {"", `"verifiedCode":0`, false, "personType is missing"},
		"null for a type":             {"", `"personType":null,"verifiedCode":0`, false, "personType"},
		"a word for a code":           {"", `"personType":"1","verifiedCode":"ok"`, false, `"ok"`},
		"a fraction for a code":       {"", `"personType":"1","verifiedCode":0.5`, false, `"0.5"`},
		"no code":                     {"", `"personType":"1"`, false, "verifiedCode is missing"},
		"an object for a code":        {"", `"personType":"1","verifiedCode":{}`, false, "verifiedCode"},
		"a code with capitals":        {"", `"personType":"1","VerifiedCode":0`, false, "VerifiedCode"},
		"a code beside the right one": {"", `"personType":"1","verifiedCode":0,"verified_code":1`, false, "verified_code"},
		"a type beside the right one": {"", `"personType":"1","verifiedCode":0,"PersonType":"2"`, false, "PersonType"},
		"a code twice":                {"", `"personType":"1","verifiedCode":1,"verifiedCode":0`, false, "twice"},
		"a code beside data":          {`,"verifiedCode":1`, `"personType":"1","verifiedCode":0`, false, "verifiedCode"},
		"a nested type":               {"", `"personType":"1","verifiedCode":0,"person":{"personType":"2"}`, false, "personType"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cmd := range []string{"verifiedRecordU", "strangerRecordU"} {
				message, ok := dialecttest.Decode(t, silent, topic, fmt.Appendf(nil, `{"cmd":%q%s,"data":[{%s}]}`, cmd, test.beside, test.data))
				if !ok {
					t.Fatal("malformed")
				}
				record := message.Entries[0].Record
				if cmd == "strangerRecordU" { // a stranger has no verdict
					if record.Passed || record.Doubt != "" {
						t.Errorf("a stranger: passed %v, doubt %q", record.Passed, record.Doubt)
					}
					continue
				}
				if record.Passed != test.passed || (record.Doubt == "") != (test.doubt == "") || !strings.Contains(record.Doubt, test.doubt) {
					t.Errorf("passed %v, doubt %q", record.Passed, record.Doubt)
				}
			}
		})
	}
}
