package edgelens_test

import (
	"testing"

	"github.com/google/uuid"

	"edgelens"
)

// The ids are stored: they never change.
func TestSeriesIDIsStable(t *testing.T) {
	for name, test := range map[string]struct{ device, field, want string }{
		"plain":  {"room_101", "temperature", "5d9091f7-0418-8b12-9f9f-44dc8c2d131b"},
		"markup": {"<b>", "a/b?c#d", "d42716c8-5e2d-8a18-809b-f7dc5509ac60"},
		"empty":  {"", "", "7c9c4a34-71fc-8491-95ce-f84b43cb63ea"},
	} {
		t.Run(name, func(t *testing.T) {
			got := edgelens.SeriesID(test.device, test.field)
			id, err := uuid.Parse(got)
			if err != nil || id.Version() != 8 || id.Variant() != uuid.RFC4122 {
				t.Errorf("%q is no UUID of version 8: %v", got, err)
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	if edgelens.SeriesID("ab", "c") == edgelens.SeriesID("a", "bc") {
		t.Error("two series have one id")
	}
}

func TestAnomalyScore(t *testing.T) {
	for name, test := range map[string]struct {
		anomaly *edgelens.Anomaly
		want    float64
	}{
		"none":                  {nil, 0},
		"by sigma alone":        {&edgelens.Anomaly{Sigma: -4, Robust: 2, BySigma: true}, -4},
		"by the robust alone":   {&edgelens.Anomaly{Sigma: 2, Robust: 9, ByRobust: true}, 9},
		"by both, sigma nearer": {&edgelens.Anomaly{Sigma: 4, Robust: 9, BySigma: true, ByRobust: true}, 4},
		"by both, below":        {&edgelens.Anomaly{Sigma: -9, Robust: -5, BySigma: true, ByRobust: true}, -5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.anomaly.Score(); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}
