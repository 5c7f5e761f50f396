package clip_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"edgelens/internal/clip"
)

func TestText(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		limit int
		mark  string
		want  string
	}{
		"nothing":                {"", 3, "…", ""},
		"shorter":                {"ab", 3, "…", "ab"},
		"as long":                {"abc", 3, "…", "abc"},
		"as long, not ASCII":     {"张三", 6, "…", "张三"},
		"longer":                 {"abcd", 3, "…", "abc…"},
		"no mark":                {"abcd", 3, "", "abc"},
		"before a character":     {"a张b", 1, "…", "a…"},
		"in 2 bytes":             {"aé", 2, "…", "a…"},
		"in 3 bytes, at the 2nd": {"a张b", 2, "…", "a…"},
		"in 3 bytes, at the 3rd": {"a张b", 3, "…", "a…"},
		"after 3 bytes":          {"a张b", 4, "…", "a张…"},
		"in 4 bytes, at the 2nd": {"a😀b", 2, "…", "a…"},
		"in 4 bytes, at the 4th": {"a😀b", 4, "…", "a…"},
		"after 4 bytes":          {"a😀b", 5, "…", "a😀…"},
		"in the first character": {"😀", 3, "…", "…"},
		"limit 0":                {"abc", 0, "…", "…"},
		"not UTF-8":              {"a\xff\xfeb", 2, "…", "a\xff…"},
		"no start of characters": {strings.Repeat("\x80", 100), 50, "", strings.Repeat("\x80", 47)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := clip.Text(test.text, test.limit, test.mark); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestLine(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"nothing":             {"", 3, ""},
		"shorter":             {"ab", 3, "ab"},
		"longer":              {"abcd", 3, "abc"},
		"control characters":  {"a\r\nb\x00c\u0085d", 20, "a  b c d"},
		"in a character":      {"ab张", 4, "ab"},
		"not UTF-8":           {"a\xffb", 20, "a\uFFFDb"},
		"in a replaced byte":  {"a\xffb", 3, "a"},
		"after replaced byte": {"a\xffb", 4, "a\uFFFD"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := clip.Line(test.text, test.limit); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestASCII(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"nothing":            {"", 3, ""},
		"shorter":            {"a~ ", 9, "a~ "},
		"longer":             {"abcd", 3, "abc"},
		"limit 0":            {"abcd", 0, ""},
		"control characters": {"a\n\x00\x7fb", 9, "a???b"},
		"a character each":   {"a张😀b", 9, "a??b"},
		"limit in one":       {"a张😀b", 2, "a?"},
		"not UTF-8":          {"\xff\xfe\xe5\xbc", 9, "????"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := clip.ASCII(test.text, test.limit); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func FuzzClip(f *testing.F) {
	f.Add("a张😀\xff\n", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = min(max(0, limit), 1<<20)
		cut := clip.Text(text, limit, "")
		if len(cut) > limit || !strings.HasPrefix(text, cut) || utf8.ValidString(text) && !utf8.ValidString(cut) || len(cut) < min(len(text), limit)-3 {
			t.Errorf("Text(%q, %d): %q", text, limit, cut)
		}
		if line := clip.Line(text, limit); len(line) > limit || !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n\x00\x7f") {
			t.Errorf("Line(%q, %d): %q", text, limit, line)
		}
		if shown := clip.ASCII(text, limit); len(shown) > limit || strings.ContainsFunc(shown, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("ASCII(%q, %d): %q", text, limit, shown)
		}
	})
}
