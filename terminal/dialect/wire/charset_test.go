package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"edgelens/terminal/dialect/charset"
	"edgelens/terminal/dialect/dialecttest"
	"edgelens/terminal/dialect/wire"
)

func TestDecoded(t *testing.T) {
	tests := map[string]struct {
		object, set, want string
		known             bool
	}{
		"UTF-8":                      {`{"name":"张三"}`, "", `{"name":"张三"}`, true},
		"UTF-8, and a set":           {`{"name":"张三"}`, charset.Big5, `{"name":"张三"}`, true},
		"the set of the device":      {"{\"num\":1,\"name\":\"\xd5\xc5\xc8\xfd\"}", charset.GB18030, `{"num":1,"name":"张三"}`, true},
		"another set of the device":  {"{\"name\":\"\xb1\xe8\xc3\xb6\xbc\xf6\"}", charset.EUCKR, `{"name":"김철수"}`, true},
		"an escape after it":         {"{\"name\":\"\xd5\xc5\\n\\\"\"}", charset.GB18030, `{"name":"张\n\""}`, true},
		"half of it escaped":         {"{\"name\":\"\xb3\\\\\"}", charset.Big5, `{"name":"許"}`, true},
		"the only set":               {"{\"name\":\"Jos\xe9\"}", "", `{"name":"José"}`, true},
		"unknown set":                {"{\"num\":1,\"name\":\"\xd5\xc5\xc8\xfd\"}", "", `{"num":1,"undecoded":{"name":"1cXI/Q=="}}`, false},
		"a wrong set":                {"{\"name\":\"Jos\xe9\"}", charset.GB18030, `{"undecoded":{"name":"Sm9z6Q=="}}`, false},
		"UTF-8 alone":                {"{\"name\":\"Jos\xe9\"}", charset.UTF8, `{"undecoded":{"name":"Sm9z6Q=="}}`, false},
		"one of two":                 {"{\"a\":\"张\",\"b\":\"\xd5\xc5\"}", "", `{"a":"张","undecoded":{"b":"1cU="}}`, false},
		"deep inside":                {"{\"a\":{\"b\":[\"\xd5\xc5\",1,{\"c\":\"\xd5\xc5\"}]}}", "", `{"a":{"b":[null,1,{"undecoded":{"c":"1cU="}}]}}`, false},
		"a name":                     {"{\"\xd5\xc5\":1}", charset.GB18030, `{"张":1}`, true},
		"an undecodable image":       {"{\"pic\":\"\xd5\xc5\",\"n\":1}", "", `{"n":1}`, true},
		"a long text":                {"{\"a\":\"" + strings.Repeat("\xd5\xc5", 500) + "\"}", "", `{"undecoded":{"a":"` + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xd5\xc5", 90))) + `"}}`, false},
		"a member with our own name": {"{\"undecoded\":\"x\",\"a\":\"\xd5\xc5\"}", "", `{"undecoded":{"a":"1cU=","undecoded":"eA=="}}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object, err := wire.Parse([]byte(test.object))
			if err != nil {
				t.Fatal(err)
			}
			decoded, known := object.Decoded(test.set)
			if got := string(decoded.Value()); got != test.want || known != test.known {
				t.Errorf("%s, known %v", got, known)
			}
		})
	}
}

// FuzzDecoded: the result is JSON in UTF-8, and UTF-8 stays unchanged.
func FuzzDecoded(f *testing.F) {
	for _, seed := range []string{
		"{\"a\":\"\xd5\xc5\",\"b\":[\"\xe9\",{\"\xff\":1}]}", `{"a":"张"}`, "{\"a\":\"\xb3\\\\\",\"a\":1,\"pic\":\"\xff\"}", "{\"undecoded\":\"\x81\"}",
	} {
		f.Add([]byte(seed), charset.GB18030)
		f.Add([]byte(seed), "")
	}
	f.Fuzz(func(t *testing.T, payload []byte, set string) {
		object, err := wire.Parse(payload)
		if err != nil {
			return
		}
		decoded, known := object.Decoded(set)
		value := decoded.Value()
		if !json.Valid(value) || !utf8.Valid(value) {
			t.Fatalf("%q became %q", payload, value)
		}
		if utf8.Valid(object.Value()) && (!known || string(value) != string(object.Value())) {
			t.Errorf("%q became %q", payload, value)
		}
		dialecttest.CheckVerdict(t, decoded.Verdict())
	})
}
