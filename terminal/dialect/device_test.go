package dialect_test

import (
	"strings"
	"testing"

	"edgelens/terminal/dialect"
)

func TestValidDevice(t *testing.T) {
	tests := map[string]struct {
		serial string
		want   bool
	}{
		"digits":               {"1026700", true},
		"all valid characters": {"AZaz09._:-", true},
		"64 bytes":             {strings.Repeat("x", 64), true},
		"65 bytes":             {strings.Repeat("x", 65), false},
		"64 kB":                {strings.Repeat("x", 64<<10), false},
		"empty":                {"", false},
		"levels":               {"a/b", false},
		"one level":            {"+", false},
		"all levels":           {"#", false},
		"shared":               {"$share", false},
		"space":                {"a b", false},
		"end of line":          {"a\n", false},
		"zero":                 {"a\x00", false},
		"not UTF-8":            {"a\xff", false},
		"not ASCII":            {"é", false},
		"percent":              {"a%2fb", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := dialect.ValidDevice(test.serial); got != test.want {
				t.Errorf("%q: %v", test.serial, got)
			}
		})
	}
}

// A dot segment of a path is not a serial number.
func TestDotSegmentsAreNoDevices(t *testing.T) {
	for serial, want := range map[string]bool{".": false, "..": false, "...": true, ".a": true, "a..": true} {
		if dialect.ValidDevice(serial) != want {
			t.Errorf("%q", serial)
		}
	}
}
