package main

import (
	"fmt"
	"math"
)

// series are the values of one figure with each seed.
type series []float64

// minus returns the differences with each seed.
func (s series) minus(other series) series {
	d := make(series, len(s))
	for i := range s {
		d[i] = s[i] - other[i]
	}
	return d
}

func (s series) mean() float64 {
	sum := 0.0
	for _, v := range s {
		sum += v
	}
	return sum / float64(len(s))
}

// half returns half the width of the 95% confidence interval of the mean, by Student's t distribution.
func (s series) half() float64 {
	n, mean, squares := float64(len(s)), s.mean(), 0.0
	for _, v := range s {
		squares += (v - mean) * (v - mean)
	}
	return student975(n-1) * math.Sqrt(squares/(n-1)/n)
}

// String is the mean with its interval.
func (s series) String() string { return fmt.Sprintf("%.1f ± %.1f", s.mean(), s.half()) }

// student975 returns the 0.975-quantile of Student's t distribution with 3 degrees of freedom at least, to 1% (Abramowitz and
// Stegun, 26.7.5).
func student975(freedom float64) float64 {
	const z = 1.959963984540054
	z3, z5, z7 := math.Pow(z, 3), math.Pow(z, 5), math.Pow(z, 7)
	return z + (z3+z)/(4*freedom) + (5*z5+16*z3+3*z)/(96*freedom*freedom) + (3*z7+19*z5+17*z3-15*z)/(384*math.Pow(freedom, 3))
}
