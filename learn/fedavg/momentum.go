package fedavg

import (
	"fmt"

	"edgelens"
	"edgelens/learn/softmax"
)

// Accelerate adds server momentum to what Aggregate returned (Hsu, Qi and Brown, "Measuring the Effects of Non-Identical Data
// Distribution for Federated Visual Classification", 2019): the share momentum, from 0 to below 1, of the step that led from the
// previous base to the base of this round is made again. With nodes whose classes differ, a head needs several times fewer
// rounds. The error wraps edgelens.ErrInvalid.
func Accelerate(aggregate, base, previous softmax.Params, momentum float64) (softmax.Params, error) {
	if !(momentum >= 0 && momentum < 1) { // NaN too
		return softmax.Params{}, fmt.Errorf("%w: a server momentum of %v; use 0 to below 1", edgelens.ErrInvalid, momentum)
	}
	if !sameShape(aggregate, base) || !sameShape(previous, base) {
		return softmax.Params{}, fmt.Errorf("%w: heads of different shapes cannot be added", edgelens.ErrInvalid)
	}
	next := aggregate.Clone()
	for i, b := range base.Values {
		next.Values[i] += momentum * (b - previous.Values[i])
	}
	if err := next.Check(); err != nil {
		return softmax.Params{}, fmt.Errorf("%w: a head with server momentum: %w", edgelens.ErrInvalid, err)
	}
	return next, nil
}
