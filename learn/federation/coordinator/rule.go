package coordinator

import (
	"edgelens/learn/fedavg"
	"edgelens/learn/federation"
	"edgelens/learn/privacy"
)

// rule returns how updates of so many values are combined.
func rule(s federation.Settings, values int) fedavg.Rule {
	r := fedavg.Rule{Method: fedavg.Mean, Trim: s.Trim, MaxExamples: s.MaxWeight, MaxNorm: maxNorm(s, values)}
	if s.Aggregation == federation.Trimmed {
		r.Method = fedavg.TrimmedMean
	}
	return r
}

// maxNorm returns the norm above which an update is refused: the clip, and what the noise adds to it at most.
func maxNorm(s federation.Settings, values int) float64 {
	if s.Noise == 0 {
		return s.Clip
	}
	return privacy.MaxNorm(s.Clip, s.Noise, values)
}
