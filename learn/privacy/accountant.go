package privacy

import (
	"fmt"
	"math"

	"edgelens"
)

// MaxOrder is the highest order at which Renyi divergences are computed. The orders are 2, 3, ... MaxOrder.
const MaxOrder = 512

// Accountant adds up what the rounds of a node or a federation reveal, as Renyi differential privacy (Mironov, "Renyi
// Differential Privacy", CSF 2017). The zero value is one that no round was added to. It is not safe for concurrent use.
type Accountant struct {
	// divergence[i] is the divergence of the order i+2.
	divergence []float64
}

// Add adds rounds of the Gaussian mechanism with a noise multiplier. rate is the probability with which a node takes part in
// a round, each by itself (Poisson sampling; Mironov, Talwar and Zhang, "Renyi Differential Privacy of the Sampled Gaussian
// Mechanism", 2019). Use 1 where what sees the update knows who takes part, as a coordinator does. The error wraps
// edgelens.ErrInvalid.
func (a *Accountant) Add(multiplier, rate float64, rounds int) error {
	if !(multiplier > 0 && rate > 0 && rate <= 1 && rounds >= 0) || math.IsInf(multiplier, 0) { // NaN too
		return fmt.Errorf("%w: privacy of %d rounds with noise multiplier %v and sampling rate %v: the multiplier must be above 0, and the rate above 0 and up to 1",
			edgelens.ErrInvalid, rounds, multiplier, rate)
	}
	if a.divergence == nil {
		a.divergence = make([]float64, MaxOrder-1)
	}
	for i := range a.divergence {
		a.divergence[i] += float64(rounds) * divergence(i+2, multiplier, rate)
	}
	return nil
}

// Epsilon returns the epsilon for which all that was added is (epsilon, delta)-differentially private (Canonne, Kamath and
// Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020, proposition 12): 0 before the first round. It is
// an upper bound. The error wraps edgelens.ErrInvalid for a delta that is not between 0 and 1.
func (a *Accountant) Epsilon(delta float64) (float64, error) {
	if !(delta > 0 && delta < 1) {
		return 0, fmt.Errorf("%w: delta is %v, not between 0 and 1", edgelens.ErrInvalid, delta)
	}
	if a.divergence == nil {
		return 0, nil
	}
	least := math.Inf(1)
	for i, d := range a.divergence {
		order := float64(i + 2)
		least = min(least, d+math.Log1p(-1/order)-math.Log(delta*order)/(order-1))
	}
	return max(0, least), nil
}

// divergence returns the Renyi divergence of an order from 2 up of one round.
func divergence(order int, multiplier, rate float64) float64 {
	variance := multiplier * multiplier
	if rate == 1 {
		return float64(order) / (2 * variance)
	}
	// The logarithm of the sum over k of choose(order, k) (1-rate)^(order-k) rate^k exp((k^2-k) / (2 variance)).
	sum := math.Inf(-1)
	for k := 0; k <= order; k++ {
		n, m := float64(order), float64(k)
		sum = logAdd(sum, logChoose(order, k)+(n-m)*math.Log1p(-rate)+m*math.Log(rate)+(m*m-m)/(2*variance))
	}
	return sum / float64(order-1)
}

// logAdd returns log(exp(a) + exp(b)).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if math.IsInf(b, -1) {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// logChoose returns the logarithm of the number of ways to choose k of n.
func logChoose(n, k int) float64 {
	all, _ := math.Lgamma(float64(n + 1))
	chosen, _ := math.Lgamma(float64(k + 1))
	rest, _ := math.Lgamma(float64(n - k + 1))
	return all - chosen - rest
}
