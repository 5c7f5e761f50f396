package train_test

import (
	"math"
	"testing"

	"edgelens/learn/softmax"
	"edgelens/learn/train"
)

// dataOf returns overlapping classes.
func dataOf(classes, n, features int) softmax.Data {
	var data softmax.Data
	labels := []string{"a", "b", "c", "d", "e"}[:classes]
	for i, e := range examplesOf(labels, n, features, 2) {
		data.Features, data.Classes = append(data.Features, e.Embedding), append(data.Classes, i/n)
	}
	return data
}

// TestFitFindsTheMinimum compares the loss that Fit ends at with that of many small steps downhill.
func TestFitFindsTheMinimum(t *testing.T) {
	data := dataOf(4, 15, 12)
	for _, l2 := range []float64{1e-1, 1e-2} {
		p, err := train.Fit(t.Context(), data, 4, l2)
		if err != nil {
			t.Fatal(err)
		}
		best, gradient := softmax.New(4, 12), make([]float64, len(p.Values))
		for range 6000 {
			softmax.Loss(best, data, l2, gradient)
			for i, g := range gradient {
				best.Values[i] -= 0.5 * g
			}
		}
		want := softmax.Loss(best, data, l2, gradient)
		if got := softmax.Loss(p, data, l2, gradient); !(got <= want*1.0005) {
			t.Errorf("l2 %v: the loss is %v, and %v can be had", l2, got, want)
		}
	}
}

func TestImprint(t *testing.T) {
	data := softmax.Data{Features: [][]float32{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, Classes: []int{0, 0, 1}}
	p := train.Imprint(data, 2)
	half := math.Sqrt(0.5)
	for i, want := range []float64{half, half, 0, 0, 0, 1, 0, 0} {
		if math.Abs(p.Values[i]-want) > 1e-12 {
			t.Errorf("value %d is %v, not %v", i, p.Values[i], want)
		}
	}
}
