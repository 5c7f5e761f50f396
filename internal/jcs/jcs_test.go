package jcs_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"edgelens"
	"edgelens/internal/jcs"
)

func TestCanonicalize(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"RFC 8785, 3.2.2": {
			`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001], "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`,
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		},
		"RFC 8785, 3.2.3": {
			`{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
		},
		"short escapes":       {`"\b\t\n\u000b\f\r\u0000\u007f<>&\u2028"`, "\"\\b\\t\\n\\u000b\\f\\r\\u0000\u007f<>&\u2028\""},
		"empty":               {" [ ] ", `[]`},
		"nested":              {"{\"b\":{ },\t\"a\":[1 , {\"d\":-0,\"c\":[[]]}]}\r\n", `{"a":[1,{"c":[[]],"d":0}],"b":{}}`},
		"the largest integer": {`[9007199254740992,-9007199254740992,100000000000000000000]`, `[9007199254740992,-9007199254740992,100000000000000000000]`},
		"a name in two forms": {"{\"\\u0061\":1,\"a\u0301\":2}", "{\"a\":1,\"a\u0301\":2}"},
	} {
		got, err := jcs.Canonicalize([]byte(test.text))
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, test.want)
		}
	}
}

// RFC 8785, appendix B.
func TestNumbers(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992", 0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23", 0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000", 0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001", 0x41b3de4355555553: "333333333.3333332",
		0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333", 0x41b3de4355555556: "333333333.3333334",
		0x41b3de4355555557: "333333333.33333343", 0xbecbf647612f3696: "-0.0000033333333333333333", 0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		if got := string(jcs.AppendNumber(nil, math.Float64frombits(bits))); got != want {
			t.Errorf("%x: %s, want %s", bits, got, want)
		}
	}
}

func TestCanonicalizeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "blanks": "  ", "two values": "1 2", "a comma too much": "[1,]", "no comma": "[1 2]", "open": `{"a":[1`, "no name": `{1:2}`, "no colon": `{"a" 1}`,
		"a repeated member": `{"a":1,"b":2,"a":1}`, "repeated by an escape": `{"a":1,"\u0061":2}`, "no value": `{"a":}`,
		"a single surrogate": `"\ud800"`, "a low surrogate": `"\udc00"`, "a surrogate and text": `"\ud800abcdef"`, "two high surrogates": `"\ud800\ud800"`, "not UTF-8": "\"\xff\"", "a surrogate in UTF-8": "\"\xed\xa0\x80\"",
		"a control character": "\"\n\"", "an unknown escape": `"\x41"`, "a short escape": `"\u12`, "no hexadecimal": `"\u12zz"`, "open string": `"abc`,
		"a long number": "9007199254740993", "a card number": "12345678901234567890", "beyond a double": "1e400", "many digits": "1000000000000000000000",
		"a leading zero": "01", "a plus": "+1", "only a point": "1.", "no digits": "-", "no exponent": "1e", "not a number": "NaN", "infinity": "Infinity",
		"a word": "nul", "a longer word": "nulls", "too deep": strings.Repeat("[", 200) + strings.Repeat("]", 200),
	} {
		if got, err := jcs.Canonicalize([]byte(text)); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestMarshal(t *testing.T) {
	got, err := jcs.Marshal(map[string]any{"b": "<é>", "a": 0.59})
	if err != nil || string(got) != `{"a":0.59,"b":"<é>"}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := jcs.Marshal(math.NaN()); !errors.Is(err, edgelens.ErrInvalid) {
		t.Error(err)
	}
}

// What is accepted is as another implementation has it, and canonical already.
func FuzzCanonicalize(f *testing.F) {
	f.Add(`{"b":[1,2.50,"\u00e9"],"a":{"😀":null,"\ufb33":-0}}`)
	f.Add(`"\ud83d\ude00"`)
	f.Add(`1e-7`)
	f.Add(`{"a":1,"a":2}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := jcs.Canonicalize([]byte(text))
		if err != nil {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("%q: %s", text, got)
		}
		other := jsontext.Value(text)
		if err := other.Canonicalize(); err != nil || string(other) != string(got) {
			t.Errorf("%q: %s, the other has %s, %v", text, got, other, err)
		}
		if again, err := jcs.Canonicalize(got); err != nil || string(again) != string(got) {
			t.Errorf("%q: %s, and then %s, %v", text, got, again, err)
		}
	})
}

func BenchmarkCanonicalize(b *testing.B) {
	text := []byte(`{"specversion":"1.0","id":"25973261-ac3f-8c66-98a2-9bac2a5037ff","data":{"record":{"num":7,"name":"Ada"},"predictions":[{"class_id":3,"label":"cat","probability":0.5912}],"cached":false}}`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := jcs.Canonicalize(text); err != nil {
			b.Fatal(err)
		}
	}
}
