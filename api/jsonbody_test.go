package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzJSONMembers compares the result with that of encoding/json.
func FuzzJSONMembers(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":"\ud80a0udC00"}`, ` { "a" : [1, {"b":null}] , "c":"\u00e9\ud83d\ude00\ud800\/" } `, `{"a":1}x`, `{"a":"b` + "\n" + `c"}`, `[1]`, `{"a":-1.5e+3,"b":true}`,
		`{"\"":"\\"}`, `{"a":{"b":{"c":[]}}}`, `{"a":01}`, `{"a":tru}`, `{"a" 1}`, "\xef\xbb\xbf{}", `{"` + "\xff" + `":"` + "\xfe" + `"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		members, err := jsonMembers(text)
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed")
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) == nil && want != nil {
			if err != nil && len(want) < maxJSONMembers && !strings.Contains(err.Error(), "deep") && !strings.Contains(err.Error(), "members") {
				t.Fatalf("encoding/json takes it: %v", err)
			}
		} else if err == nil && !bytes.ContainsAny(text, "\r\n\t") && !bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
			t.Fatalf("encoding/json refuses it")
		}
		for _, m := range members {
			if want == nil {
				continue
			}
			_, exact := want[m.name]
			_, repaired := want[string(bytes.ToValidUTF8([]byte(m.name), []byte("\ufffd")))]
			if !exact && !repaired && utf8.ValidString(m.name) {
				t.Errorf("member %q is not in %v", m.name, want)
			}
			if m.isString() {
				var text string
				got := string(stringContent(bytes.Clone(m.value)))
				if json.Unmarshal(m.value, &text) == nil && string(bytes.ToValidUTF8([]byte(got), []byte("\ufffd"))) != string(bytes.ToValidUTF8([]byte(text), []byte("\ufffd"))) &&
					!bytes.ContainsFunc(m.value, func(r rune) bool { return r == '\ufffd' }) {
					t.Errorf("%q is %q and not %q", m.value, got, text)
				}
			}
		}
	})
}

// The time is linear in the length of the text, whatever its content.
func TestJSONMembersIsLinear(t *testing.T) {
	for name, text := range map[string]string{
		"escapes":  `{"a":"` + strings.Repeat(`\/`, 1<<20) + `"}`,
		"elements": `{"a":[` + strings.Repeat(`"",`, 1<<19) + `1]}`,
		"blanks":   `{"a":` + strings.Repeat(" ", 1<<21) + `1}`,
		"quotes":   `{"a":"` + strings.Repeat(`\"`, 1<<20),
		"brackets": `{"a":` + strings.Repeat("[", 1<<21),
		"objects":  `{"a":[` + strings.Repeat(`{"b":{}},`, 1<<18) + `1]}`,
	} {
		start := time.Now()
		_, _ = jsonMembers([]byte(text))
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: %d MiB took %v", name, len(text)>>20, took)
		}
	}
}
