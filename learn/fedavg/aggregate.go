package fedavg

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"edgelens"
	"edgelens/learn/softmax"
)

// Method is how the updates of a round become one.
type Method string

// The methods.
const (
	// Mean is the mean weighted by the numbers of examples.
	Mean Method = "mean"
	// TrimmedMean leaves out the largest and smallest values of each weight, and is the mean of the rest (Yin et al.,
	// "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates", ICML 2018), weighted like Mean. It needs
	// MinTrimmed updates.
	TrimmedMean Method = "trimmed_mean"
	// MixedTrimmedMean replaces each update by the mean of those that are nearest to it (Allouah et al., "Fixing by Mixing: A Recipe
	// for Optimal Byzantine ML under Heterogeneity", AISTATS 2023), weighted like Mean, and takes the TrimmedMean of these: where
	// the examples of nodes differ, values that few of them move are not trimmed. It needs MinTrimmed updates.
	MixedTrimmedMean Method = "mixed_trimmed_mean"
)

// MinTrimmed is the number of updates from which on TrimmedMean and MixedTrimmedMean can be used.
const MinTrimmed = 5

// Rule is how updates are checked and aggregated.
type Rule struct {
	Method Method
	// Trim is the share of the updates left out at each end by TrimmedMean, above 0 and below 0.5. One is left out at least. As many
	// are not mixed into an update by MixedTrimmedMean.
	Trim float64
	// MaxExamples is how many examples of a node count at most, so that one node with many, or one that claims so, does not
	// decide alone. 0 for no limit.
	MaxExamples int
	// MaxNorm is the norm above which an update is refused. 0 for no limit.
	MaxNorm float64
}

// Check returns an edgelens.ErrInvalid for a rule that cannot be used.
func (r Rule) Check() error {
	switch {
	case r.Method != Mean && r.Method != TrimmedMean && r.Method != MixedTrimmedMean:
		return fmt.Errorf("%w: aggregation: the method %.40q is not known: use %s, %s or %s", edgelens.ErrInvalid, r.Method, Mean, TrimmedMean, MixedTrimmedMean)
	case r.Method != Mean && !(r.Trim > 0 && r.Trim < 0.5): // NaN too
		return fmt.Errorf("%w: aggregation: %v of the updates would be trimmed at each end; use a share above 0 and below 0.5", edgelens.ErrInvalid, r.Trim)
	case r.MaxExamples < 0:
		return fmt.Errorf("%w: aggregation: at most %d examples of a node would count; use 0 for no limit, or more", edgelens.ErrInvalid, r.MaxExamples)
	case !(r.MaxNorm >= 0):
		return fmt.Errorf("%w: aggregation: the largest norm is %v; use 0 for no limit, or more", edgelens.ErrInvalid, r.MaxNorm)
	}
	return nil
}

// Weight is how many of a node's examples count.
func (r Rule) Weight(examples int) int {
	if r.MaxExamples > 0 {
		return min(examples, r.MaxExamples)
	}
	return examples
}

// CheckUpdate is Update.Check with the rule's norm.
func (r Rule) CheckUpdate(u Update, base softmax.Params) error {
	norm := r.MaxNorm
	if norm == 0 {
		norm = math.Inf(1)
	}
	return u.Check(base, norm)
}

// Aggregate returns the base with the mean of the updates added, and for each update nil or the *RefusedError for which it
// was left out. The order of the updates makes no difference beyond the rounding of the last bit. The error wraps
// edgelens.ErrInvalid for a rule that cannot be used, or where too few updates remain; the refusals are there all the same.
func Aggregate(base softmax.Params, updates []Update, r Rule) (softmax.Params, []error, error) {
	if err := r.Check(); err != nil {
		return softmax.Params{}, nil, err
	}
	if err := base.Check(); err != nil {
		return softmax.Params{}, nil, fmt.Errorf("%w: the base head: %w", edgelens.ErrInvalid, err)
	}
	refusals := make([]error, len(updates))
	var used []Update
	for i, u := range updates {
		if refusals[i] = r.CheckUpdate(u, base); refusals[i] == nil {
			used = append(used, u)
		}
	}
	need := 1
	if r.Method != Mean {
		need = MinTrimmed
	}
	if len(used) < need {
		return softmax.Params{}, refusals, fmt.Errorf("%w: aggregation: %d of %d updates can be used, and %s needs %d", edgelens.ErrInvalid, len(used), len(updates), r.Method, need)
	}
	sum := base.Clone()
	parts := weighted(used, r)
	switch r.Method {
	case Mean:
		addMean(sum, parts)
	case TrimmedMean:
		addTrimmedMean(sum, parts, r.Trim)
	case MixedTrimmedMean:
		addTrimmedMean(sum, mix(parts, Trimmed(r.Trim, len(parts))), r.Trim)
	}
	if err := sum.Check(); err != nil {
		return softmax.Params{}, refusals, fmt.Errorf("%w: aggregation: in the sum %w", edgelens.ErrInvalid, err)
	}
	return sum, refusals, nil
}

// part is an update with its weight.
type part struct {
	values []float64
	weight float64
}

func weighted(updates []Update, r Rule) []part {
	parts := make([]part, len(updates))
	for i, u := range updates {
		parts[i] = part{u.Difference.Values, float64(r.Weight(u.Examples))}
	}
	return parts
}

// addMean adds the weighted mean of the updates.
func addMean(base softmax.Params, parts []part) {
	total := 0.0
	for _, p := range parts {
		total += p.weight
	}
	for _, p := range parts {
		share := p.weight / total
		for i, v := range p.values {
			base.Values[i] += share * v
		}
	}
}

// Trimmed returns how many of count values TrimmedMean leaves out at each end: that share of them, one at least.
func Trimmed(share float64, count int) int {
	// The addend is for shares such as 0.29 of 100, which are a bit below the whole number.
	return min(max(1, int(share*float64(count)+1e-9)), (count-1)/2)
}

// addTrimmedMean adds the trimmed mean of the updates, of each value by itself.
func addTrimmedMean(base softmax.Params, parts []part, share float64) {
	type weighted struct{ value, weight float64 }
	trim := Trimmed(share, len(parts))
	column := make([]weighted, len(parts))
	for i := range base.Values {
		for n, p := range parts {
			column[n] = weighted{p.values[i], p.weight}
		}
		slices.SortFunc(column, func(a, b weighted) int {
			return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.weight, b.weight))
		})
		sum, total := 0.0, 0.0
		for _, w := range column[trim : len(column)-trim] {
			sum += w.weight * w.value
			total += w.weight
		}
		base.Values[i] += sum / total
	}
}
