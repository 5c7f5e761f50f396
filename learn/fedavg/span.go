package fedavg

import "edgelens/learn/softmax"

// spanTraining is a training on all examples in each step. Whatever its steps are, the weights remain a multiple of those of the base
// plus a sum of multiples of the examples: it computes with these multiples, and so with as many numbers as there are examples in
// place of features. The parameters are those that steps of LocalTrain give, but for rounding.
type spanTraining struct {
	base softmax.Params
	data softmax.Data
	o    Options
	// logits has W x of each example for the weights of the base, without the biases, and gram the products of all pairs of examples.
	logits, gram [][]float64
	// ofBase is the multiple of the base, ofExample[i][c] that of example i in the weights of class c, and biases the biases.
	ofBase    float64
	ofExample [][]float64
	biases    []float64
}

// spanPays reports whether so many examples are few enough for spanTraining to take less time.
func spanPays(base softmax.Params, examples int, o Options) bool {
	m, k, d, steps := float64(examples), float64(base.Classes), float64(base.Features), float64(o.Epochs)
	return m*m*d/2+2*m*k*d+steps*m*m*k < 2*steps*m*k*d
}

func newSpanTraining(base softmax.Params, data softmax.Data, o Options) *spanTraining {
	t := &spanTraining{base: base, data: data, o: o, ofBase: 1, biases: append([]float64(nil), base.Biases()...)}
	t.logits, t.gram, t.ofExample = table(data.Len(), base.Classes), table(data.Len(), data.Len()), table(data.Len(), base.Classes)
	for i, x := range data.Features {
		base.Logits(x, t.logits[i])
		for c, b := range t.biases {
			t.logits[i][c] -= b
		}
		for j := range i + 1 {
			product := 0.0
			for n, v := range data.Features[j] {
				product += float64(v) * float64(x[n])
			}
			t.gram[i][j], t.gram[j][i] = product, product
		}
	}
	return t
}

// run takes the steps. It stops before the next one where stopped returns an error.
func (t *spanTraining) run(stopped func() error) error {
	o := t.o
	slopes, speeds := table(t.data.Len(), t.base.Classes), table(t.data.Len(), t.base.Classes)
	speed, biasSpeeds, start := 0.0, make([]float64, t.base.Classes), t.base.Biases()
	for range o.Epochs {
		if err := stopped(); err != nil {
			return err
		}
		t.slopes(slopes)
		biasSlopes := make([]float64, t.base.Classes)
		for i, s := range slopes {
			for c, v := range s {
				biasSlopes[c] += v
				speeds[i][c] = o.Momentum*speeds[i][c] + v + (o.L2+o.Proximal)*t.ofExample[i][c]
			}
		}
		speed = o.Momentum*speed + o.L2*t.ofBase + o.Proximal*(t.ofBase-1)
		t.ofBase -= o.Rate * speed
		for i := range speeds {
			for c, v := range speeds[i] {
				t.ofExample[i][c] -= o.Rate * v
			}
		}
		for c, v := range biasSlopes {
			biasSpeeds[c] = o.Momentum*biasSpeeds[c] + v + o.Proximal*(t.biases[c]-start[c])
			t.biases[c] -= o.Rate * biasSpeeds[c]
		}
	}
	return nil
}

// slopes writes the slope of the mean cross-entropy by each logit into into.
func (t *spanTraining) slopes(into [][]float64) {
	share := 1 / float64(t.data.Len())
	for i, scores := range into {
		for c := range scores {
			scores[c] = t.ofBase*t.logits[i][c] + t.biases[c]
		}
		for j, product := range t.gram[i] {
			for c, v := range t.ofExample[j] {
				scores[c] += product * v
			}
		}
		softmax.Probabilities(scores)
		scores[t.data.Classes[i]]--
		for c := range scores {
			scores[c] *= share
		}
	}
}

// params returns the parameters.
func (t *spanTraining) params() softmax.Params {
	p := t.base.Clone()
	for c := range p.Classes {
		row := p.Row(c)
		for n := range row {
			row[n] *= t.ofBase
		}
		for i, x := range t.data.Features {
			times := t.ofExample[i][c]
			for n, v := range x {
				row[n] += times * float64(v)
			}
		}
	}
	copy(p.Biases(), t.biases)
	return p
}

// table returns rows of zeros.
func table(rows, columns int) [][]float64 {
	t, values := make([][]float64, rows), make([]float64, rows*columns)
	for i := range t {
		t[i] = values[i*columns : (i+1)*columns]
	}
	return t
}
