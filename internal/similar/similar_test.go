package similar_test

import (
	"strings"
	"testing"

	"edgelens/internal/similar"
)

func TestDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"", "abc"}: 3, {"abc", ""}: 3, {"model", "model"}: 0, {"modle", "model"}: 1, {"mdoel", "model"}: 1,
		{"modell", "model"}: 1, {"mode", "model"}: 1, {"nodel", "model"}: 1, {"topk", "top_k"}: 1, {"threshold", "top_k"}: 8,
		{"listen", "silent"}: 4, {"ab", "ba"}: 1, {"abc", "ca"}: 3,
	} {
		if got := similar.Distance(pair[0], pair[1]); got != want {
			t.Errorf("%v: %d, want %d", pair, got, want)
		}
	}
}

func TestName(t *testing.T) {
	known := []string{"cache", "min_score", "model", "top_k"}
	for name, want := range map[string]string{
		"modle": "model", "min_scroe": "min_score", "minscore": "min_score", "topk": "top_k", "cach": "cache", "threshold": "", "x": "", "": "",
	} {
		if got := similar.Name(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// A client chooses the length of a name: the work must not grow with it.
func TestNameOfAnyLength(t *testing.T) {
	known := []string{"cache", "min_score", "model", "top_k"}
	for _, name := range []string{strings.Repeat("m", 100<<20), "model" + strings.Repeat("l", 100<<20)} {
		if allocated := testing.AllocsPerRun(1, func() {
			if got := similar.Name(name, known); got != "" {
				t.Errorf("%d bytes: %q", len(name), got)
			}
		}); allocated > 0 {
			t.Errorf("%d bytes are compared, with %v allocations", len(name), allocated)
		}
	}
}
