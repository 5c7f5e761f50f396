// Package fedavg is the mathematics of federated rounds of a head: training on one node, its update, and the mean of the
// updates of many. It does no input or output.
//
// A round of Federated Averaging (McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data",
// AISTATS 2017) gives each node the base parameters. Each trains on its own examples (LocalTrain), and returns an Update: the
// Difference of what it trained and the base, clipped to a norm. Aggregate adds their mean to the base. FedProx (Li et al.,
// "Federated Optimization in Heterogeneous Networks", MLSys 2020) is the option Proximal of the local training.
package fedavg

import (
	"errors"
	"fmt"
	"math"

	"edgelens"
	"edgelens/learn/softmax"
)

// Update is what one node learned in one round.
type Update struct {
	// Difference is what is to be added to the base parameters, with their layout.
	Difference softmax.Params
	// Examples is how many the node trained on, 1 at least.
	Examples int
}

// Difference returns trained minus base. The error wraps edgelens.ErrInvalid where their shapes differ.
func Difference(trained, base softmax.Params) (softmax.Params, error) {
	if !sameShape(trained, base) {
		return softmax.Params{}, fmt.Errorf("%w: the trained head has another shape than its base", edgelens.ErrInvalid)
	}
	d := trained.Clone()
	for i, b := range base.Values {
		d.Values[i] -= b
	}
	return d, nil
}

// Norm returns the Euclidean norm of all weights and biases together.
func Norm(p softmax.Params) float64 {
	sum := 0.0
	for _, v := range p.Values {
		sum += v * v
	}
	return math.Sqrt(sum)
}

// Clip scales the difference down to the norm, where it is above, and returns the factor: 1 where it was not.
func Clip(difference softmax.Params, norm float64) float64 {
	length := Norm(difference)
	if length <= norm {
		return 1
	}
	factor := norm / length
	for i := range difference.Values {
		difference.Values[i] *= factor
	}
	return factor
}

// Reason is why an update is refused. It is a word for logs, receipts and metrics.
type Reason string

// The reasons.
const (
	NotFinite     Reason = "not_finite"  // a value is NaN or infinite
	WrongShape    Reason = "wrong_shape" // other classes or features than the base
	NormAboveClip Reason = "norm_above_clip"
	NoExamples    Reason = "no_examples" // it counts none, or fewer
)

// RefusedError is an update that must not be used. It is an edgelens.ErrInvalid.
type RefusedError struct {
	Reason Reason
	detail string
}

// Error describes the update.
func (e *RefusedError) Error() string { return "the update is refused: " + e.detail }

// Unwrap makes errors.Is(err, edgelens.ErrInvalid) true.
func (e *RefusedError) Unwrap() error { return edgelens.ErrInvalid }

// ReasonOf returns the reason of a RefusedError, or "".
func ReasonOf(err error) Reason {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Reason
	}
	return ""
}

// normTolerance is how far above its limit a norm may be, as a share: values sent as float32 are rounded.
const normTolerance = 1e-5

// Check returns a *RefusedError for an update that cannot be added to the base, or whose norm is above maxNorm. Values whose
// norm overflows are above any.
func (u Update) Check(base softmax.Params, maxNorm float64) error {
	refuse := func(reason Reason, format string, args ...any) error {
		return &RefusedError{reason, fmt.Sprintf(format, args...)}
	}
	if !sameShape(u.Difference, base) {
		return refuse(WrongShape, "it has %d values of %d classes and %d features, and the base %d of %d and %d",
			len(u.Difference.Values), u.Difference.Classes, u.Difference.Features, len(base.Values), base.Classes, base.Features)
	}
	if u.Examples < 1 {
		return refuse(NoExamples, "it counts %d examples", u.Examples)
	}
	for _, v := range u.Difference.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return refuse(NotFinite, "a value is %v", v)
		}
	}
	if norm := Norm(u.Difference); norm > maxNorm*(1+normTolerance) || math.IsInf(norm, 0) {
		return refuse(NormAboveClip, "its norm is %.4g, and %.4g the most", norm, maxNorm)
	}
	return nil
}

// sameShape reports whether p has the classes, features and values of the base.
func sameShape(p, base softmax.Params) bool {
	return p.Classes == base.Classes && p.Features == base.Features && len(p.Values) == len(base.Values)
}
