package fedavg_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"edgelens/learn/fedavg"
	"edgelens/learn/softmax"
)

// flowerGolden is what tools/goldens/flower.py writes.
type flowerGolden struct {
	Classes, Features int
	Aggregate         []struct {
		Name        string
		Examples    []int
		Parameters  [][]float64
		Mean        []float64
		Trim        float64
		TrimmedMean []float64 `json:"trimmed_mean"`
	}
	Training []struct {
		Name                         string
		Rounds, Epochs               int
		Rate, Momentum, L2, Proximal float64
		Values                       []float64
	}
	Nodes []softmax.Data
}

func readFlower(t *testing.T) (g flowerGolden) {
	t.Helper()
	data, err := os.ReadFile("testdata/flower.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Aggregate) == 0 || len(g.Training) == 0 || len(g.Nodes) == 0 {
		t.Fatal("the golden is empty")
	}
	return g
}

// isNear fails the test if a value differs by more than 1e-6.
func isNear(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, not %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-6) {
			t.Fatalf("%s: value %d is %v, and Flower's %v", what, i, got[i], want[i])
		}
	}
}

// TestAggregateEqualsFlower compares means of the parameters that nodes trained with those of Flower, which aggregates the
// parameters themselves: here it is their differences from a base that is not 0.
func TestAggregateEqualsFlower(t *testing.T) {
	g := readFlower(t)
	for _, c := range g.Aggregate {
		base := softmax.New(g.Classes, g.Features)
		for i := range base.Values {
			base.Values[i] = float64(i) / 7
		}
		updates, equal := []fedavg.Update{}, []fedavg.Update{}
		for i, values := range c.Parameters {
			difference, err := fedavg.Difference(softmax.Params{Classes: g.Classes, Features: g.Features, Values: values}, base)
			if err != nil {
				t.Fatal(err)
			}
			updates = append(updates, fedavg.Update{Difference: difference, Examples: c.Examples[i]})
			equal = append(equal, fedavg.Update{Difference: difference, Examples: 1})
		}
		mean, _, err := fedavg.Aggregate(base, updates, fedavg.Rule{Method: fedavg.Mean})
		if err != nil {
			t.Fatal(err)
		}
		isNear(t, c.Name+", mean", mean.Values, c.Mean)
		if c.TrimmedMean == nil {
			continue
		}
		// Flower's trimmed mean has no weights.
		trimmed, _, err := fedavg.Aggregate(base, equal, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: c.Trim})
		if err != nil {
			t.Fatal(err)
		}
		isNear(t, c.Name+", trimmed mean", trimmed.Values, c.TrimmedMean)
	}
}

// TestTrainingEqualsFlower compares whole rounds.
func TestTrainingEqualsFlower(t *testing.T) {
	g := readFlower(t)
	for _, c := range g.Training {
		head := softmax.New(g.Classes, g.Features)
		for range c.Rounds {
			var updates []fedavg.Update
			for _, node := range g.Nodes {
				options := fedavg.Options{Epochs: c.Epochs, Rate: c.Rate, Momentum: c.Momentum, L2: c.L2, Proximal: c.Proximal}
				trained, _, err := fedavg.LocalTrain(t.Context(), head, node, options)
				if err != nil {
					t.Fatal(err)
				}
				difference, err := fedavg.Difference(trained, head)
				if err != nil {
					t.Fatal(err)
				}
				updates = append(updates, fedavg.Update{Difference: difference, Examples: node.Len()})
			}
			var err error
			if head, _, err = fedavg.Aggregate(head, updates, fedavg.Rule{Method: fedavg.Mean}); err != nil {
				t.Fatal(err)
			}
		}
		isNear(t, c.Name, head.Values, c.Values)
	}
}
