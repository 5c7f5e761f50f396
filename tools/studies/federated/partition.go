package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"edgelens/learn/softmax"
)

// minExamples is how many examples a node has at least.
const minExamples = 2

// partition gives the examples of each class to nodes by shares that are drawn from a Dirichlet distribution: the lower alpha,
// the more their classes differ (Yurochkin et al., "Bayesian Nonparametric Federated Learning of Neural Networks", ICML 2019).
// It draws again until each node has minExamples.
func partition(data softmax.Data, classes, nodes int, alpha float64, seed uint64) ([]softmax.Data, error) {
	random := rand.New(rand.NewPCG(seed, 0x6469726963686c65))
	for range 10_000 {
		parts := make([][]int, nodes)
		for c := range classes {
			shares := dirichlet(random, nodes, alpha)
			for _, i := range random.Perm(data.Len()) {
				if data.Classes[i] == c {
					n := choose(random, shares)
					parts[n] = append(parts[n], i)
				}
			}
		}
		small := false
		for _, part := range parts {
			small = small || len(part) < minExamples
		}
		if small {
			continue
		}
		all := make([]softmax.Data, nodes)
		for n, part := range parts {
			all[n] = data.At(part)
		}
		return all, nil
	}
	return nil, fmt.Errorf("%d examples cannot be given to %d nodes with alpha %v so that each has %d", data.Len(), nodes, alpha, minExamples)
}

// skew leaves out examples of each node, so that of two classes the share of one is drawn from a beta distribution. Both stay,
// but for nodes where one has less than half an example.
func skew(nodes []softmax.Data, alpha float64, seed uint64) []softmax.Data {
	random := rand.New(rand.NewPCG(seed, 0x736b6577))
	skewed := make([]softmax.Data, len(nodes))
	for n, data := range nodes {
		share := dirichlet(random, 2, alpha)
		most := max(share[0], share[1])
		var kept []int
		var of [2][]int
		for _, i := range random.Perm(data.Len()) {
			of[data.Classes[i]] = append(of[data.Classes[i]], i)
		}
		for c := range of {
			kept = append(kept, of[c][:int(share[c]/most*float64(len(of[c]))+0.5)]...)
		}
		skewed[n] = data.At(kept)
	}
	return skewed
}

// dirichlet draws shares with the sum 1.
func dirichlet(random *rand.Rand, n int, alpha float64) []float64 {
	shares, sum := make([]float64, n), 0.0
	for i := range shares {
		shares[i] = gamma(random, alpha)
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// gamma draws from a gamma distribution of scale 1 (Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables",
// 2000).
func gamma(random *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(random, shape+1) * math.Pow(1-random.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := random.NormFloat64()
		v := math.Pow(1+c*x, 3)
		if v > 0 && math.Log(1-random.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// choose draws a number by its share.
func choose(random *rand.Rand, shares []float64) int {
	u := random.Float64()
	for i, s := range shares {
		if u -= s; u < 0 {
			return i
		}
	}
	return len(shares) - 1
}

// join returns the examples of all nodes.
func join(nodes []softmax.Data) (all softmax.Data) {
	for _, n := range nodes {
		all.Features = append(all.Features, n.Features...)
		all.Classes = append(all.Classes, n.Classes...)
	}
	return all
}
