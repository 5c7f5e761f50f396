package fedavg_test

import (
	"math"
	"testing"

	"edgelens/learn/fedavg"
	"edgelens/learn/softmax"
)

// TestFewExamples compares a training on fewer examples than features, which is computed by the products of the examples, with steps
// of gradient descent that are computed here one by one.
func TestFewExamples(t *testing.T) {
	for name, o := range map[string]fedavg.Options{
		"plain":    {Epochs: 7, Rate: 0.5},
		"all":      {Epochs: 7, Rate: 0.5, Momentum: 0.6, L2: 0.02, Proximal: 0.3},
		"one step": {Epochs: 1, Rate: 2, L2: 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			data := clusters(3, 5, 3, 200)
			base := softmax.New(3, 200)
			for i := range base.Values {
				base.Values[i] = math.Sin(float64(i))
			}
			got, loss, err := fedavg.LocalTrain(t.Context(), base, data, o)
			if err != nil {
				t.Fatal(err)
			}
			want, gradient, speed := base.Clone(), make([]float64, len(base.Values)), make([]float64, len(base.Values))
			for range o.Epochs {
				softmax.Loss(want, data, o.L2, gradient)
				for i := range gradient {
					speed[i] = o.Momentum*speed[i] + gradient[i] + o.Proximal*(want.Values[i]-base.Values[i])
					want.Values[i] -= o.Rate * speed[i]
				}
			}
			for i := range want.Values {
				if math.Abs(got.Values[i]-want.Values[i]) > 1e-12 {
					t.Fatalf("value %d is %v, not %v", i, got.Values[i], want.Values[i])
				}
			}
			if expected := softmax.Loss(want, data, o.L2, gradient); math.Abs(loss-expected) > 1e-12 {
				t.Errorf("the loss is %v, not %v", loss, expected)
			}
		})
	}
}
