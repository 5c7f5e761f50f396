package wire_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/charset"
	"edgelens/terminal/dialect/wire"
	"edgelens/terminal/fungxi"
)

const uplink = "fungxi_F1_upLink"

func terminals() dialect.Dialect { return fungxi.New(fungxi.DefaultConfig()) }

func TestDecode(t *testing.T) {
	const one = `{"cmd":"verifiedRecordU","data":[{"num":1,"name":"Ann","personType":"1","verifiedCode":0}]}`
	tests := map[string]struct {
		payload, set string
		names        string // of the records, or of the messages without any; "" for none
		problems     int
	}{
		"strictly":                 {one, "", "Ann", 0},
		"a comma too many":         {strings.Replace(one, "}]}", ",}],}", 1), "", "Ann", 1},
		"single quotes":            {strings.ReplaceAll(one, `"`, `'`), "", "Ann", 1},
		"two messages":             {`{"cmd":"heartU"}` + one, "", "heartU Ann", 1},
		"the second is not one":    {one + `{"cmd":"verifiedRecordU","data":7}`, "", "Ann", 2},
		"no record":                {`{"cmd":"verifiedRecordU","data":[]}`, "", "verifiedRecordU", 1},
		"no record, and no member": {`{"cmd":"verifiedRecordU"}`, "", "verifiedRecordU", 1},
		"other letters":            {`{"CMD":"verifiedRecordU","Data":[{"Name":"Ann","NUM":1}]}`, "", "Ann", 0},
		"data in a string":         {`{"cmd":"verifiedRecordU","data":"[{\"name\":\"Ann\"}]"}`, "", "Ann", 0},
		"records in a list":        {`{"cmd":"verifiedRecordU","data":{"total":2,"list":[{"name":"Ann"},{"name":"Bob"}]}}`, "", "Ann Bob", 0},
		"some are not records":     {`{"cmd":"verifiedRecordU","data":[{"name":"Ann"},7]}`, "", "Ann", 1},
		"Big5, at the end":         {strings.Replace(one, "Ann", "\xb3\\", 1), charset.Big5, "許", 0},
		"Big5, in the middle":      {strings.Replace(one, "Ann", "\xb3\\n", 1), charset.Big5, "許n", 0},
		"Big5, unknown set":        {strings.Replace(one, "Ann", "\xb3\\", 1), "", "", 1},
		"nothing":                  {"", "", "malformed", 0},
		"not JSON":                 {"hello", "", "malformed", 0},
		"too deep":                 {`{"cmd":"heartU","x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, "", "malformed", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reading, err := wire.Decode(terminals(), uplink, []byte(test.payload), dialect.Hints{ReceivedAt: time.Now(), Charset: test.set})
			if test.names == "malformed" {
				if !errors.Is(err, dialect.ErrMalformed) {
					t.Errorf("%v, %+v", err, reading)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, message := range reading.Messages {
				for _, entry := range message.Entries {
					names = append(names, entry.Record.Person.Name)
				}
				if len(message.Entries) == 0 {
					names = append(names, message.Name)
				}
			}
			problems := reading.Problems()
			repaired := 0
			if reading.Repaired != "" {
				repaired = 1
			}
			if got := strings.Join(names, " "); got != test.names || len(problems)-repaired != test.problems && len(problems) != test.problems {
				t.Errorf("%q, problems %q", got, problems)
			}
		})
	}
}

// A leniently read record is assessed like any other: a syntax error never grants access.
func TestLenientVerdicts(t *testing.T) {
	for payload, want := range map[string]bool{
		`{'cmd':'verifiedRecordU','data':[{'personType':'1','verifiedCode':0,}]}`:                       true,
		`{cmd:verifiedRecordU,data:[{personType:1,verifiedCode:0}]}`:                                    true,
		`{cmd:verifiedRecordU,data:[{personType:1,verifiedCode:NaN}]}`:                                  false,
		`{cmd:verifiedRecordU,data:[{personType:1,verifiedCode:undefined}]}`:                            false,
		`{cmd:verifiedRecordU,data:[{personType:1,verifiedCode:0x0}]}`:                                  false,
		`{cmd:verifiedRecordU,data:[{personType:1,verifiedCode:0,PersonType:2}]}`:                       false,
		`{"cmd":"verifiedRecordU","data":{"person_type":2,"list":[{"personType":1,"verifiedCode":0}]}}`: false,
		`{"cmd":"verifiedRecordU","data":{"total":1,"list":[{"personType":1,"verifiedCode":0}]}}`:       true,
	} {
		reading, err := wire.Decode(terminals(), uplink, []byte(payload), dialect.Hints{ReceivedAt: time.Now()})
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			continue
		}
		if got := reading.Messages[0].Entries[0].Record.Passed; got != want {
			t.Errorf("%s: passed %v", payload, got)
		}
	}
}
