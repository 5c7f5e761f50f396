package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/dialecttest"
	"edgelens/terminal/dialect/wire"
)

// FuzzImage passes any text in place of base64, and any bytes as base64 in every notation.
func FuzzImage(f *testing.F) {
	for _, seed := range []string{
		"", "QQ==", "QUI", "data:image/jpeg;base64,QUJD", "data:,x", "Q U\tJ\nD", "-_+/", "=", "QQ=Q", "A", "\\", "\xff\xfe",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 512
		image, reason := value(t, string(data)).Image(limit)
		if (image == nil) != (reason != "") || len(image) > limit || len(image) > len(data) || len(reason) > 100 {
			t.Errorf("%d bytes, %q", len(image), reason)
		}
		if len(data) == 0 || len(data) > limit {
			return
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(data)
			half := len(text) / 2
			for _, text := range []string{text, "data:image/png;base64," + text, text[:half] + "\r\n" + text[half:] + "\n"} {
				if image, reason := value(t, text).Image(limit); !bytes.Equal(image, data) {
					t.Errorf("%q gave %q, %q", text, image, reason)
				}
			}
		}
	})
}

func FuzzVerdict(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1,"a":{"pic":2,"b":[1,2,"x"]}}`, `{"liveImageBase64":"QUJD","n":-1e5}`, `{"é":"\u00e9","\ud800":null,"` + "\xff" + `":"` + "\xfe" + `"}`,
		`{"x":["` + strings.Repeat("A", 300) + `",1,"` + strings.Repeat("QUJD\\n", 100) + `"]}`, strings.Repeat(`{"":`, 33) + "1" + strings.Repeat("}", 33),
		`{"x":` + strings.Repeat("9", 300) + `}`, `{"x":"data:image/png;base64,QUJD"}`, "[1]", "null", "\xef\xbb\xbf{}\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		object, err := wire.Parse(payload)
		if err != nil {
			if !errors.Is(err, dialect.ErrMalformed) {
				t.Errorf("not ErrMalformed: %v", err)
			}
			return
		}
		if !json.Valid(object.Value()) {
			t.Errorf("object %q", object.Value())
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(object.Value(), &all); err != nil {
			t.Fatalf("encoding/json rejects it: %v", err)
		}
		if len(all) != len(object.Members) {
			t.Errorf("%d members, and %d by encoding/json", len(object.Members), len(all))
		}
		for _, member := range object.Members {
			if want := all[member.Name]; string(want) != string(member.Value) {
				t.Errorf("%q is %q, and %q by encoding/json", member.Name, member.Value, want)
			}
			if elements, ok := member.Value.Array(); ok {
				var want []json.RawMessage
				if err := json.Unmarshal(member.Value, &want); err != nil || len(want) != len(elements) {
					t.Errorf("%d elements, and %d by encoding/json", len(elements), len(want))
				}
			}
		}
		verdict := object.Verdict()
		dialecttest.CheckVerdict(t, verdict)
		again, err := wire.Parse(verdict)
		if err != nil {
			t.Fatalf("%q cannot be read: %v", verdict, err)
		}
		if twice := again.Verdict(); string(twice) != string(verdict) {
			t.Errorf("%q becomes %q", verdict, twice)
		}
	})
}

// FuzzCode: a code without doubt is the only member of its name, and is in the record.
func FuzzCode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"PersonType":0}`, `{"PersonType":"1","persontype":2}`, `{"a":[{"b":{"person_type":1}}]}`, `{"PersonType":1,"PersonType":2}`, `{"\u0050ersonType":[1]}`, `{"PersonTyp\ud800":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		object, err := wire.Parse(payload)
		if err != nil {
			return
		}
		code, doubt := wire.Found{Object: object}.Code("PersonType")
		if len(doubt) > 200 || len(wire.Unknown("PersonType", code)) > 200 {
			t.Errorf("a sentence of %d bytes", len(doubt))
		}
		if doubt != "" {
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(object.Value(), &all); err != nil {
			t.Fatal(err)
		}
		if want, ok := all["PersonType"]; ok != (code != nil) || string(want) != string(code) {
			t.Errorf("%q, want %q", code, want)
		}
		for name := range all {
			if name != "PersonType" && strings.EqualFold(name, "PersonType") {
				t.Errorf("%q caused no doubt", name)
			}
		}
	})
}

// value returns text as a JSON string, as in an object.
func value(t testing.TB, text string) wire.Value {
	t.Helper()
	return wire.Value(wire.Marshal(text))
}
