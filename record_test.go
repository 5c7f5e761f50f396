package edgelens_test

import (
	"regexp"
	"testing"

	"edgelens"
)

func TestRecordID(t *testing.T) {
	base := [5]string{"fungxi", "door", "verified", "7", "00ff"}
	id := func(p [5]string) string { return edgelens.RecordID(p[0], p[1], p[2], p[3], p[4]) }
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id(base)) {
		t.Errorf("%s is no UUID of version 8", id(base))
	}
	// Frozen: another id would make every record that is known a new one.
	if want := "25973261"; id(base)[:8] != want {
		t.Errorf("%s, want %s...", id(base), want)
	}
	seen := map[string]string{id(base): "itself"}
	differ := func(name string, p [5]string) {
		if other, ok := seen[id(p)]; ok {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[id(p)] = name
	}
	for i := range base {
		p := base
		p[i] += "x"
		differ("another part", p)
	}
	differ("parts that run together", [5]string{"fungxid", "oor", "verified", "7", "00ff"})
}
