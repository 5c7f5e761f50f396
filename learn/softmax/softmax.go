// Package softmax is multinomial logistic regression: the loss of a linear classifier on feature vectors, and its gradient.
// It is what heads, on one node or federated, are trained by.
//
// The loss of N examples with features x and classes y is the mean of the cross-entropy -log p_y(x), where p(x) is the
// softmax of W x + b, plus l2/2 times the sum of the squares of W (Bishop, Pattern Recognition and Machine Learning, 2006,
// section 4.3.4). The bias is not regularized.
package softmax

import (
	"fmt"
	"math"
)

// Params are the weights and the biases of a linear classifier of K classes on D features. Copies share them.
type Params struct {
	// Classes is K and Features is D.
	Classes, Features int
	// Values are the K x D weights, row by row, and then the K biases.
	Values []float64
}

// New returns parameters that are all 0.
func New(classes, features int) Params {
	return Params{Classes: classes, Features: features, Values: make([]float64, classes*(features+1))}
}

// Check returns an error if the number of values is not that of the classes and features, or a value is not finite.
func (p Params) Check() error {
	if p.Classes < 1 || p.Features < 1 || len(p.Values) != p.Classes*(p.Features+1) {
		return fmt.Errorf("%d values are not those of %d classes and %d features", len(p.Values), p.Classes, p.Features)
	}
	for _, v := range p.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("a value is %v", v)
		}
	}
	return nil
}

// Clone returns a copy that shares nothing with p.
func (p Params) Clone() Params {
	p.Values = append([]float64(nil), p.Values...)
	return p
}

// Row returns the weights of one class, and Biases those of all. They share the memory of p.
func (p Params) Row(class int) []float64 {
	return p.Values[class*p.Features : (class+1)*p.Features]
}

// Biases returns the biases, one for each class. They share the memory of p.
func (p Params) Biases() []float64 { return p.Values[p.Classes*p.Features:] }

// Logits writes W x + b into the K numbers of into.
func (p Params) Logits(x []float32, into []float64) {
	copy(into, p.Biases())
	c := 0
	for ; c+4 <= len(into); c += 4 { // four sums at once keep the processor's adders busy
		r0, r1, r2, r3 := p.Row(c)[:len(x)], p.Row(c + 1)[:len(x)], p.Row(c + 2)[:len(x)], p.Row(c + 3)[:len(x)]
		s0, s1, s2, s3 := into[c], into[c+1], into[c+2], into[c+3]
		for i, f := range x {
			v := float64(f)
			s0 += r0[i] * v
			s1 += r1[i] * v
			s2 += r2[i] * v
			s3 += r3[i] * v
		}
		into[c], into[c+1], into[c+2], into[c+3] = s0, s1, s2, s3
	}
	for ; c < len(into); c++ {
		sum := into[c]
		for i, w := range p.Row(c) {
			sum += w * float64(x[i])
		}
		into[c] = sum
	}
}

// Probabilities replaces logits by their softmax. The largest is subtracted first, so that exp cannot overflow.
func Probabilities(logits []float64) {
	largest := math.Inf(-1)
	for _, l := range logits {
		largest = max(largest, l)
	}
	sum := 0.0
	for i, l := range logits {
		logits[i] = math.Exp(l - largest)
		sum += logits[i]
	}
	for i := range logits {
		logits[i] /= sum
	}
}

// Data are examples: Features[i], of length D, is of the class Classes[i], from 0 to K-1.
type Data struct {
	Features [][]float32
	Classes  []int
}

// Len returns the number of examples.
func (d Data) Len() int { return len(d.Features) }

// At returns the examples with these numbers, which share the features of d.
func (d Data) At(numbers []int) Data {
	part := Data{Features: make([][]float32, len(numbers)), Classes: make([]int, len(numbers))}
	for i, n := range numbers {
		part.Features[i], part.Classes[i] = d.Features[n], d.Classes[n]
	}
	return part
}

// Loss returns the loss of p on the data, and writes its gradient, with the layout of p's values, into gradient. There must
// be an example.
func Loss(p Params, d Data, l2 float64, gradient []float64) float64 {
	clear(gradient)
	slopes := Params{Classes: p.Classes, Features: p.Features, Values: gradient}
	share := 1 / float64(d.Len())
	loss := 0.0
	var scores [4][]float64 // of four examples, whose slopes are added in one pass
	for i := range scores {
		scores[i] = make([]float64, p.Classes)
	}
	for n := 0; n < d.Len(); n += 4 {
		some := min(4, d.Len()-n)
		for i := range some {
			class, s := d.Classes[n+i], scores[i]
			p.Logits(d.Features[n+i], s)
			Probabilities(s)
			loss -= share * math.Log(max(s[class], math.SmallestNonzeroFloat64))
			s[class]--
			for c := range s {
				s[c] *= share
			}
		}
		slopes.add(d.Features[n:n+some], scores[:some])
	}
	weights := p.Values[:p.Classes*p.Features]
	for i, w := range weights {
		loss += l2 / 2 * w * w
		gradient[i] += l2 * w
	}
	return loss
}

// add adds the outer products of the scores and the features of up to four examples, in their order.
func (p Params) add(features [][]float32, scores [][]float64) {
	biases := p.Biases()
	for c := range biases {
		row := p.Row(c)
		for i := range features {
			biases[c] += scores[i][c]
		}
		if len(features) == 4 {
			x0, x1, x2, x3 := features[0][:len(row)], features[1][:len(row)], features[2][:len(row)], features[3][:len(row)]
			s0, s1, s2, s3 := scores[0][c], scores[1][c], scores[2][c], scores[3][c]
			for i, v := range row {
				row[i] = v + s0*float64(x0[i]) + s1*float64(x1[i]) + s2*float64(x2[i]) + s3*float64(x3[i])
			}
			continue
		}
		for i, x := range features {
			for j, f := range x {
				row[j] += scores[i][c] * float64(f)
			}
		}
	}
}
