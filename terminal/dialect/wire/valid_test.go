package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"edgelens/terminal/dialect"
	"edgelens/terminal/dialect/wire"
)

// FuzzParse compares wire.Parse with encoding/json, for texts with long strings.
func FuzzParse(f *testing.F) {
	long := strings.Repeat("QUJD", 100)
	for _, seed := range []string{
		`{"a":"` + long + `"}`, `{"a":"` + long, `{"` + long + `":1}`, `{"a":"` + long + "\x01" + `"}`, `{"a":"` + long + `\"}`, `{"a":"` + long + `\q"}`,
		`{"a":"` + long + `" "` + long + `"}`, `{a"` + long + `"}`, `{"a":["` + long + `","` + long + `",]}`, `{"a":"` + long + "\xff" + `"}`,
		`{"a":"` + long + `\\"}`, `"` + long + `"`, `{"a":"` + long + `"}x`, `{"` + long + `"` + long + `":1}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.Trim(strings.TrimRight(strings.TrimPrefix(text, "\xef\xbb\xbf"), "\x00"), " \t\r\n")
		_, err := wire.Parse([]byte(text))
		if err != nil && !errors.Is(err, dialect.ErrMalformed) {
			t.Errorf("not ErrMalformed: %v", err)
		}
		if json.Valid([]byte(text)) {
			bounded := strings.Count(text, "[")+strings.Count(text, "{") < 32 && strings.Count(text, ",") < 1000
			if strings.HasPrefix(text, "{") && bounded && err != nil {
				t.Errorf("valid, but rejected: %v", err)
			}
		} else if err == nil {
			t.Error("invalid, but accepted")
		}
	})
}
