package stats

import (
	"math"
	"sort"
)

// exactUpTo is the total number of values up to which every split is counted: 12,870 splits of 16.
const exactUpTo = 16

// MannWhitney returns the two-sided p-value of H. B. Mann and D. R. Whitney's U
// ("On a Test of Whether one of Two Random Variables is Stochastically Larger
// than the Other", Ann. Math. Statist. 18(1), 1947, doi:10.1214/aoms/1177730491): how probable a
// difference at least as large is where a and b are of one distribution. Ties
// get the mean of their ranks. Up to 16 values in all p is exact, also with
// ties: it is counted over all ways to split these ranks. Above, it is the normal
// approximation with the corrections for ties and for continuity. 1 where
// either is empty.
func MannWhitney(a, b []float64) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 1
	}
	ranks, ties := rank(a, b)
	sum := 0.0
	for _, r := range ranks[:len(a)] {
		sum += r
	}
	n, m := float64(len(a)), float64(len(b))
	expected := n * (n + m + 1) / 2
	if len(a)+len(b) <= exactUpTo {
		return exact(ranks, len(a), math.Abs(sum-expected))
	}
	all := n + m
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	if variance == 0 {
		return 1
	}
	z := max(0, math.Abs(sum-expected)-0.5) / math.Sqrt(variance)
	return math.Erfc(z / math.Sqrt2)
}

// rank returns the midranks of a's values and then of b's, and the sum of
// t^3-t over the groups of t ties.
func rank(a, b []float64) (ranks []float64, ties float64) {
	values := append(append([]float64{}, a...), b...)
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return values[order[i]] < values[order[j]] })
	ranks = make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+to+1) / 2
		}
		t := float64(to - from)
		ties += t*t*t - t
		from = to
	}
	return ranks, ties
}

// exact returns in which share of all ways to choose n of the ranks their sum
// is at least so far from the expected one.
func exact(ranks []float64, n int, distance float64) float64 {
	expected := float64(n) * float64(len(ranks)+1) / 2
	extreme, all := 0, 0
	var choose func(from, left int, sum float64)
	choose = func(from, left int, sum float64) {
		if left == 0 {
			all++
			if math.Abs(sum-expected) >= distance-1e-9 {
				extreme++
			}
			return
		}
		for i := from; i <= len(ranks)-left; i++ {
			choose(i+1, left-1, sum+ranks[i])
		}
	}
	choose(0, n, 0)
	return float64(extreme) / float64(all)
}
