package fedavg_test

import (
	"encoding/json"
	"os"
	"testing"

	"edgelens/learn/fedavg"
	"edgelens/learn/softmax"
)

// TestMixingEqualsByzFL compares the mixed trimmed mean with that of the library of its authors, by what tools/goldens/byzfl.py writes.
// It has no weights.
func TestMixingEqualsByzFL(t *testing.T) {
	data, err := os.ReadFile("testdata/byzfl.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Classes, Features int
		Cases             []struct {
			Name    string
			Far     int
			Updates [][]float64
			Values  []float64
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil || len(golden.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(golden.Cases), err)
	}
	base := softmax.New(golden.Classes, golden.Features)
	for _, c := range golden.Cases {
		var updates []fedavg.Update
		for _, values := range c.Updates {
			updates = append(updates, fedavg.Update{Difference: softmax.Params{Classes: golden.Classes, Features: golden.Features, Values: values}, Examples: 7})
		}
		rule := fedavg.Rule{Method: fedavg.MixedTrimmedMean, Trim: float64(c.Far) / float64(len(updates))}
		got, _, err := fedavg.Aggregate(base, updates, rule)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		isNear(t, c.Name, got.Values, c.Values)
	}
}

// An update that is far from the others, in whatever direction, moves the mixed trimmed mean no farther than to the mean of the others,
// and neither the order of the updates nor the number of examples that it claims matters.
func TestMixingWithstandsOneUpdate(t *testing.T) {
	var honest []fedavg.Update
	for _, v := range []float64{1, 1.2, 0.8, 1.1, 0.9} {
		honest = append(honest, update(v, 10))
	}
	for _, poison := range []float64{1000, -1000, 1e6} {
		for place := range len(honest) + 1 {
			updates := append(append(append([]fedavg.Update{}, honest[:place]...), update(poison, 1_000_000_000)), honest[place:]...)
			got, _, err := fedavg.Aggregate(update(0, 1).Difference, updates, fedavg.Rule{Method: fedavg.MixedTrimmedMean, Trim: 0.1, MaxExamples: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range got.Values {
				if v < 0.8 || v > 1.2 {
					t.Errorf("with %v at %d the values are %v", poison, place, got.Values)
				}
			}
		}
	}
}
