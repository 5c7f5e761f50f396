package fungxi_test

import (
	"strings"
	"testing"

	"edgelens"
	"edgelens/terminal/dialect/dialecttest"
)

// All times of a message must agree, and one of them must be the record's own.
func TestTimesOfARecord(t *testing.T) {
	const old, now, later = `"2024-04-10 10:00:07"`, `"2026-04-10 10:00:07"`, `"2026-04-10 10:00:10"`
	const person = `"num":6,"name":"Ann"`
	record := `{` + person + `,"time":` + now + `}`
	tests := map[string]struct {
		payload string
		want    edgelens.Freshness
	}{
		"live":                             {`"data":[` + record + `]`, edgelens.FreshnessFresh},
		"live, and sent now":               {`"timestamp":1775808009,"time":` + later + `,"data":[` + record + `]`, edgelens.FreshnessFresh},
		"live, and wrapped":                {`"data":{"sendTime":` + later + `,"list":[` + record + `]}`, edgelens.FreshnessFresh},
		"live, with dates of the person":   {`"data":[{` + person + `,"time":` + now + `,"user":{"createTime":` + old + `,"validTo":"2030-01-01 00:00:00"},"birthday":"1990-01-01 00:00:00"}]`, edgelens.FreshnessFresh},
		"two records of different times":   {`"data":[` + record + `,{` + person + `,"time":` + old + `}]`, edgelens.FreshnessFresh},
		"old, and sent now":                {`"timestamp":1775808009,"data":[{` + person + `,"time":` + old + `}]`, edgelens.FreshnessUnknown},
		"old, with an uncertain send time": {`"sendTime":` + now + `,"data":[{` + person + `,"time":` + old + `}]`, edgelens.FreshnessReplayed},
		"an old time beside":               {`"time":` + old + `,"data":[` + record + `]`, edgelens.FreshnessUnknown},
		"an old one, by another name":      {`"eventTs":1712743207,"data":[` + record + `]`, edgelens.FreshnessUnknown},
		"an old one, in the wrapping":      {`"data":{"timestamp":` + old + `,"list":[` + record + `]}`, edgelens.FreshnessUnknown},
		"an old one, around a string":      {`"time":` + old + `,"data":"[` + strings.ReplaceAll(record, `"`, `\"`) + `]"`, edgelens.FreshnessUnknown},
		"an old one, in the record":        {`"data":[{` + person + `,"time":` + now + `,"rec":{"time":` + old + `}}]`, edgelens.FreshnessUnknown},
		"an old one, in a string in it":    {`"data":[{` + person + `,"time":` + now + `,"ext":"{\"passTime\":\"2024-04-10 10:00:07\"}"}]`, edgelens.FreshnessUnknown},
		"an old one that was replaced":     {`"data":[{` + person + `,"time":` + old + `}],"data":[` + record + `]`, edgelens.FreshnessUnknown},
		"passTime":                         {`"data":[{` + person + `,"time":` + now + `,"passTime":` + old + `}]`, edgelens.FreshnessUnknown},
		"only a time of sending":           {`"time":` + now + `,"data":[{` + person + `}]`, edgelens.FreshnessUnknown},
		"only one, and old":                {`"time":` + old + `,"data":[{` + person + `}]`, edgelens.FreshnessReplayed},
		"only one in the wrapping":         {`"data":{"timestamp":1775808009,"list":[{` + person + `}]}`, edgelens.FreshnessUnknown},
		"only one that is like a time":     {`"data":[{` + person + `,"uploadTime":` + now + `}]`, edgelens.FreshnessUnknown},
		"an own one in an object":          {`"data":[{` + person + `,"access":{"time":` + now + `}}]`, edgelens.FreshnessFresh},
		"none":                             {`"data":[{` + person + `}]`, edgelens.FreshnessUnknown},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, cmd := range []string{"verifiedRecordU", "strangerRecordU"} {
				message, ok := dialecttest.Decode(t, silent, topic, []byte(`{"cmd":"`+cmd+`",`+test.payload+`}`))
				if !ok || len(message.Entries) == 0 {
					t.Fatalf("%+v", message)
				}
				if got := dialecttest.Freshness(message.Entries[0]); got != test.want {
					t.Errorf("%s: %s, %+v", cmd, got, message.Entries[0].Times)
				}
			}
		})
	}
}

// Members that a verdict depends on are searched in any position and any spelling.
func TestCodesElsewhere(t *testing.T) {
	const good = `"num":6,"name":"Ann","time":"2026-04-10 10:00:07","personType":"1","verifiedCode":0`
	tests := map[string]struct {
		payload string
		passed  bool
	}{
		"good":                        {`"data":[{` + good + `}]`, true},
		"two that are good":           {`"data":[{` + good + `},{"num":7,"personType":"0","verifiedCode":3}]`, true},
		"an object beside":            {`"x":{"personType":"0"},"data":[{` + good + `}]`, false},
		"an array beside":             {`"x":[1,[{"personType":"0"}]],"data":[{` + good + `}]`, false},
		"a string beside":             {`"x":"{\"verifiedCode\":3}","data":[{` + good + `}]`, false},
		"deep beside":                 {`"a":{"b":{"c":{"d":{"e":{"f":{"verified_code":3}}}}}},"data":[{` + good + `}]`, false},
		"deep in it":                  {`"data":[{` + good + `,"a":{"b":{"c":{"d":{"e":{"f":{"verifiedCode":3}}}}}}}]`, false},
		"a string in it":              {`"data":[{` + good + `,"ext":"[{\"verifiedCode\":3}]"}]`, false},
		"a string of a string":        {`"data":[{` + good + `,"ext":"{\"a\":\"{\\\"verifiedCode\\\":3}\"}"}]`, false},
		"an escaped string":           {`"data":[{` + good + `,"ext":"\u007b\"verifiedCode\":3}"}]`, false},
		"in the wrapping":             {`"data":{"result":[0,{"personTyp":"0"}],"list":[{` + good + `}]}`, false},
		"full-width letters":          {`"data":[{` + good + `,"ｐｅｒｓｏｎＴｙｐｅ":"0"}]`, false},
		"full-width letters beside":   {`"ＰＥＲＳＯＮ＿ＴＹＰＥ":"0","data":[{` + good + `}]`, false},
		"letters with accents":        {`"data":[{` + good + `,"pérsönTypé":"0"}]`, false},
		"mathematical letters":        {`"data":[{` + good + `,"𝐩𝐞𝐫𝐬𝐨𝐧𝐓𝐲𝐩𝐞":"0"}]`, false},
		"a byte order mark in a name": {`"data":[{` + good + `,"\ufeffpersonType":"0"}]`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			message, ok := dialecttest.Decode(t, silent, topic, []byte(`{"cmd":"verifiedRecordU",`+test.payload+`}`))
			if !ok || len(message.Entries) == 0 {
				t.Fatalf("%+v", message)
			}
			if record := message.Entries[0].Record; record.Passed != test.passed || (record.Doubt == "") != test.passed {
				t.Errorf("passed %v, doubt %q", record.Passed, record.Doubt)
			}
		})
	}
}
