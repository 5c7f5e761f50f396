package softmax_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"edgelens/learn/softmax"
)

// TestGradient compares the gradient with the difference of losses.
func TestGradient(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	p := softmax.New(5, 4)
	for i := range p.Values {
		p.Values[i] = random.NormFloat64()
	}
	var d softmax.Data
	for n := range 7 { // a block of four, and the rest
		x := make([]float32, 4)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		d.Features, d.Classes = append(d.Features, x), append(d.Classes, n%5)
	}
	gradient, scratch := make([]float64, len(p.Values)), make([]float64, len(p.Values))
	softmax.Loss(p, d, 0.1, gradient)
	const step = 1e-5
	for i := range p.Values {
		up, down := p.Clone(), p.Clone()
		up.Values[i] += step
		down.Values[i] -= step
		want := (softmax.Loss(up, d, 0.1, scratch) - softmax.Loss(down, d, 0.1, scratch)) / (2 * step)
		if math.Abs(gradient[i]-want) > 1e-8 {
			t.Errorf("the slope of value %d is %v, not %v", i, gradient[i], want)
		}
	}
}

func TestProbabilitiesOfLargeLogits(t *testing.T) {
	logits := []float64{1000, 1000, -1000}
	softmax.Probabilities(logits)
	if logits[0] != 0.5 || logits[1] != 0.5 || logits[2] != 0 {
		t.Errorf("the softmax is %v, not 0.5, 0.5, 0", logits)
	}
}

func TestCheck(t *testing.T) {
	good := softmax.New(2, 3)
	nan := good.Clone()
	nan.Values[1] = math.NaN()
	short := good.Clone()
	short.Values = short.Values[1:]
	for name, c := range map[string]struct {
		p  softmax.Params
		ok bool
	}{"good": {good, true}, "nan": {nan, false}, "short": {short, false}, "zero": {softmax.Params{}, false}} {
		if err := c.p.Check(); (err == nil) != c.ok {
			t.Errorf("%s: Check returns %v", name, err)
		}
	}
}
