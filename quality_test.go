package edgelens_test

import (
	"strings"
	"testing"

	"edgelens"
)

func TestQualityProblem(t *testing.T) {
	for name, test := range map[string]struct {
		quality *edgelens.Quality
		want    string // a part of it; "" for none
	}{
		"not rated":     {nil, ""},
		"usable":        {&edgelens.Quality{Verdict: edgelens.QualityBlurred, Score: 0.4, Usable: true}, ""},
		"blurred":       {&edgelens.Quality{Verdict: edgelens.QualityBlurred, Score: 0.93}, "The image is blurred (0.93); clean the lens"},
		"blank":         {&edgelens.Quality{Verdict: edgelens.QualityBlank, Score: 1}, "is blank (1.00); check whether the camera is covered"},
		"a new verdict": {&edgelens.Quality{Verdict: "upside down", Score: 0.8}, "The image is upside down (0.80)."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.quality.Problem(); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
				t.Errorf("%+v: %q, want %q", test.quality, got, test.want)
			}
		})
	}
}
