package accuracy

// Bin are the answers with probabilities from From to To.
type Bin struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	Share
	// Mean is the mean probability.
	Mean float64 `json:"mean_probability"`
}

// bins is the number of equal parts of the probabilities.
const bins = 10

// Reliability has, of the answers by probability, how many are right: of a calibrated model as many as the
// probability. A bin has its lower bound; the last has 1, too.
type Reliability struct {
	Bins []Bin `json:"bins"`
	// Error is the expected calibration error: the mean distance of share and probability, weighted by answers (C. Guo
	// et al., "On Calibration of Modern Neural Networks", ICML 2017).
	Error float64 `json:"expected_calibration_error"`
}

func reliability(outcomes []outcome) Reliability {
	var right, n [bins]int
	var sums [bins]float64
	for _, o := range outcomes {
		i := binOf(o.probability)
		n[i]++
		sums[i] += o.probability
		if o.right() {
			right[i]++
		}
	}
	var r Reliability
	for i := range bins {
		b := Bin{From: float64(i) / bins, To: float64(i+1) / bins, Share: newShare(right[i], n[i])}
		if n[i] > 0 {
			b.Mean = sums[i] / float64(n[i])
			r.Error += abs(b.Value-b.Mean) * float64(n[i]) / float64(len(outcomes))
		}
		r.Bins = append(r.Bins, b)
	}
	return r
}

// binOf compares with the bounds as they are printed: 0.3 is in the bin from 0.3.
func binOf(p float64) int {
	for i := bins - 1; i > 0; i-- {
		if p >= float64(i)/bins {
			return i
		}
	}
	return 0
}

func abs(v float64) float64 { return max(v, -v) }
