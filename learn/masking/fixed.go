package masking

import (
	"fmt"
	"math"

	"edgelens"
)

// The fixed-point numbers of shares.
const (
	// fraction is how many bits are after the point.
	fraction = 24
	// Step is the distance of two numbers.
	Step = 1.0 / (1 << fraction)
	// MaxValue is the largest amount of a value, MaxWeight the largest weight and MaxMembers the largest number of members:
	// the sum of them all is below 2^62 steps, and so never wraps.
	MaxValue   = 1 << 8
	MaxWeight  = 1 << 20
	MaxMembers = 1 << 10
)

// Encode returns the share of a member before it is masked: each value times the weight in fixed point, then the weight, and
// then a 1 by which the sum shows how many shares it has. The error wraps edgelens.ErrInvalid for a value or weight out of
// range.
func Encode(values []float64, weight int) ([]uint64, error) {
	if weight < 1 || weight > MaxWeight {
		return nil, fmt.Errorf("%w: secure aggregation: the weight %d is not 1 to %d", edgelens.ErrInvalid, weight, MaxWeight)
	}
	share := make([]uint64, 0, len(values)+2)
	for _, v := range values {
		if !(math.Abs(v) <= MaxValue) { // NaN too
			return nil, fmt.Errorf("%w: secure aggregation: the value %v is not from %d to %d", edgelens.ErrInvalid, v, -MaxValue, MaxValue)
		}
		share = append(share, uint64(int64(math.RoundToEven(v*float64(weight)/Step))))
	}
	return append(share, uint64(weight), 1), nil
}

// decode returns the weighted mean and the total weight of a sum of as many shares as there are members. ok is false where
// it is no such sum.
func decode(sum []uint64, members int) (mean []float64, weight int, ok bool) {
	values, total, count := sum[:len(sum)-2], sum[len(sum)-2], sum[len(sum)-1]
	if count != uint64(members) || total < uint64(members) || total > uint64(members)*MaxWeight {
		return nil, 0, false
	}
	limit := int64(MaxValue * total << fraction)
	mean = make([]float64, len(values))
	for i, v := range values {
		signed := int64(v)
		if signed > limit || signed < -limit {
			return nil, 0, false
		}
		mean[i] = float64(signed) * Step / float64(total)
	}
	return mean, int(total), true
}
