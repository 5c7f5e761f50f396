package stats

import "math"

// normal975 is the 0.975-quantile of the normal distribution.
const normal975 = 1.959963984540054

// Wilson returns the 95% confidence interval of a share, of which right of n were observed: the score interval of
// E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22(158), 1927. Unlike the
// usual approximation it holds for few observations and near 0 and 1. Of none, it is 0 to 1.
func Wilson(right, n int) Interval {
	if n <= 0 {
		return Interval{0, 1}
	}
	const z2 = normal975 * normal975
	count := float64(n)
	share := float64(right) / count
	center := (share + z2/(2*count)) / (1 + z2/count)
	half := normal975 / (1 + z2/count) * math.Sqrt(share*(1-share)/count+z2/(4*count*count))
	interval := Interval{max(0, center-half), min(1, center+half)}
	if right == 0 {
		interval.Low = 0 // rounding aside
	}
	if right == n {
		interval.High = 1
	}
	return interval
}

// McNemar returns the two-sided p-value of the exact test of Q. McNemar, "Note on the Sampling Error of the Difference
// between Correlated Proportions or Percentages", Psychometrika 12(2), 1947: of two measurements of the same things, b
// were right in the first alone and c in the second alone. Without a difference, each of these is as likely as the
// other. It is 1 where b + c is 0.
func McNemar(b, c int) float64 {
	n, smaller := b+c, min(b, c)
	sum := 0.0
	for i := 0; i <= smaller; i++ {
		sum += math.Exp(logChoose(n, i) - float64(n)*math.Ln2)
	}
	return min(1, 2*sum)
}

// logChoose is the logarithm of the number of ways to choose k of n.
func logChoose(n, k int) float64 {
	all, _ := math.Lgamma(float64(n + 1))
	chosen, _ := math.Lgamma(float64(k + 1))
	rest, _ := math.Lgamma(float64(n - k + 1))
	return all - chosen - rest
}
