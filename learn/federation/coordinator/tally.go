package coordinator

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"edgelens/learn/fedavg"
	"edgelens/learn/federation"
)

// tally is a sum of scores: of a candidate and its base, or of the live head and the one before.
type tally struct {
	Nodes    int `json:"nodes"`
	Examples int `json:"examples"`
	Right    int `json:"right"`
	Base     int `json:"base"`
}

// String describes it for people.
func (t tally) String() string {
	return fmt.Sprintf("%d of %d held-out examples right, %d before", t.Right, t.Examples, t.Base)
}

// gain is how much better the first head is than the second, as a share of the examples.
func (t tally) gain() float64 { return float64(t.Right-t.Base) / float64(max(1, t.Examples)) }

// capped returns the tally as that of at most so many examples.
func (t tally) capped(limit int) tally {
	if t.Examples > limit {
		share := float64(limit) / float64(t.Examples)
		t.Examples, t.Right, t.Base = limit, int(math.Round(share*float64(t.Right))), int(math.Round(share*float64(t.Base)))
	}
	return t
}

// sum adds the tallies of nodes, which are what these claim: MaxWeight examples of a node count at most, as of its update. Where
// updates are combined so that one poisoned node does no harm, its scores do none either: from five nodes up no node counts more
// than the median one, and the tallies with the smallest and largest gains are left out, as many as updates would be.
func sum(all []tally, s federation.Settings) (total tally) {
	limit := s.MaxWeight
	slices.SortFunc(all, func(a, b tally) int {
		return cmp.Or(cmp.Compare(a.gain(), b.gain()), cmp.Compare(a.Examples, b.Examples))
	})
	if s.Aggregation != federation.Mean && len(all) >= fedavg.MinTrimmed {
		var sizes []int
		for _, t := range all {
			sizes = append(sizes, t.Examples)
		}
		slices.Sort(sizes)
		limit = min(limit, sizes[len(sizes)/2])
		trim := fedavg.Trimmed(s.Trim, len(all))
		all = all[trim : len(all)-trim]
	}
	for _, t := range all {
		t = t.capped(limit)
		total.Nodes, total.Examples, total.Right, total.Base = total.Nodes+t.Nodes, total.Examples+t.Examples, total.Right+t.Right, total.Base+t.Base
	}
	return total
}
