package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"edgelens/terminal/dialect/dialecttest"
	"edgelens/terminal/dialect/wire"
)

func TestVerdict(t *testing.T) {
	run := strings.Repeat("QUJD", 64) // 256 characters
	prose := strings.Repeat("a word or two, ", 300)
	tests := map[string]struct{ payload, want string }{
		"nothing":                  {`{}`, `{}`},
		"unchanged, compact":       {`{ "a" : "b\/\u0041" , "n" : -1.50e+3, "t": true, "x": null, "l": [ 1, { } ] }`, `{"a":"b\/\u0041","n":-1.50e+3,"t":true,"x":null,"l":[1,{}]}`},
		"names of images":          {`{"liveImageBase64":"QUJD","pic":1,"scene":{"a":1},"Image":null,"myBase64":"x","a":1}`, `{"a":1}`},
		"deeper down":              {`{"a":[{"pic":"QUJD","b":{"scene":"QUJD"}}]}`, `{"a":[{"b":{}}]}`},
		"a link stays":             {`{"picURI":"http://192.168.1.2/a.jpg"}`, `{"picURI":"http://192.168.1.2/a.jpg"}`},
		"base64 by another name":   {`{"a":"` + run + `","b":"` + run[1:] + `"}`, `{"b":"` + run[1:] + `"}`},
		"with line breaks":         {`{"a":"` + strings.Repeat(`QUJDQUJD\n`, 40) + `"}`, `{}`},
		"with escapes":             {`{"a":"` + strings.Repeat(`QU\/D`, 64) + `"}`, `{}`},
		"within a sentence":        {`{"a":"the features: ` + run + `."}`, `{}`},
		"a data URI":               {`{"a":"data:image/png;base64,QUJD","b":"DATA:x"}`, `{}`},
		"in a list":                {`{"a":[1,"` + run + `",2]}`, `{"a":[1,null,2]}`},
		"in a name":                {`{"` + run + `":1,"a":1}`, `{"a":1}`},
		"4 KiB of prose":           {`{"a":"` + prose[:4096] + `"}`, `{"a":"` + prose[:4096] + `"}`},
		"a byte above 4 KiB":       {`{"a":"` + prose[:4097] + `"}`, `{}`},
		"a number of 64 digits":    {`{"a":` + strings.Repeat("9", 64) + `}`, `{"a":` + strings.Repeat("9", 64) + `}`},
		"a number of 65 digits":    {`{"a":` + strings.Repeat("9", 65) + `}`, `{}`},
		"twice the same":           {`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		"twice, the last an image": {`{"a":1,"a":"` + run + `"}`, `{}`},
		"not UTF-8":                {"{\"a\":\"x\xffy\",\"\xfe\":1}", "{\"a\":\"x\uFFFDy\",\"\uFFFD\":1}"},
		"names that are not text":  {"{\"\xfe\xa9\":1,\"\\ud800\":2,\"\xef\":3}", "{\"\uFFFD\uFFFD\":1,\"\uFFFD\":3}"},
		"a name with markup":       {`{"<a>&":1}`, `{"<a>&":1}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object, err := wire.Parse([]byte(test.payload))
			if err != nil {
				t.Fatal(err)
			}
			got := object.Verdict()
			dialecttest.CheckVerdict(t, got)
			if string(got) != test.want {
				t.Errorf("%s", got)
			}
		})
	}
}

// TestLargeVerdict: a verdict that is too large keeps the members that fit, also after one
// that does not.
func TestLargeVerdict(t *testing.T) {
	prose := strings.Repeat("a word or two, ", 250)
	var members, elements []string
	for i := range 100 {
		members = append(members, fmt.Sprintf(`"m%d":%q`, i, prose))
		elements = append(elements, fmt.Sprintf("%q", prose))
	}
	lists := map[string]string{
		"members":           "{" + strings.Join(members, ",") + `,"last":1}`,
		"members of one":    `{"a":{` + strings.Join(members, ",") + `},"last":1}`,
		"elements":          `{"a":[` + strings.Join(elements, ",") + `],"last":1}`,
		"many small values": `{"a":[` + strings.Repeat("1,", 90_000) + `1],"last":1}`,
		"many empty lists":  `{"a":[` + strings.Repeat("[],", 45_000) + `[]],"last":1}`,
	}
	for name, payload := range lists {
		t.Run(name, func(t *testing.T) {
			object, err := wire.Parse([]byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			got := object.Verdict()
			dialecttest.CheckVerdict(t, got)
			if len(got) < wire.MaxVerdict-8<<10 {
				t.Errorf("only %d bytes were kept", len(got))
			}
			var read struct{ Last int }
			if err := json.Unmarshal(got, &read); err != nil {
				t.Error(err)
			}
			if strings.HasPrefix(name, "members") && read.Last != 1 {
				t.Error("a member that fits was not kept")
			}
		})
	}
}
