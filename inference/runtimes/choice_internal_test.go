package runtimes

import (
	"strings"
	"testing"
)

func TestRemedy(t *testing.T) {
	tests := map[string]struct{ has, lacks string }{
		"amd64": {"edgelens runtime install litert", ""},
		"arm64": {"edgelens runtime install litert", ""},
		"arm":   {"convert the model", "install"},
	}
	for architecture, test := range tests {
		got := remedy(architecture)
		if !strings.Contains(got, test.has) || test.lacks != "" && strings.Contains(got, test.lacks) {
			t.Errorf("for %s: %q, want %q in it and not %q", architecture, got, test.has, test.lacks)
		}
	}
}
