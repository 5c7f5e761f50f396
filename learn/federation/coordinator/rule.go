package coordinator

import (
	"edgelens/learn/fedavg"
	"edgelens/learn/federation"
	"edgelens/learn/privacy"
)

// rule returns how updates of so many values are combined in a round of so many nodes. It follows from those that were asked, not from
// those that answered: who can keep nodes from answering must not choose how.
func rule(s federation.Settings, values, asked int) fedavg.Rule {
	r := fedavg.Rule{Method: fedavg.Mean, Trim: s.Trim, MaxExamples: s.MaxWeight, MaxNorm: maxNorm(s, values)}
	switch {
	case s.Secure:
	case s.Aggregation == federation.Trimmed:
		r.Method = fedavg.TrimmedMean
	case s.Aggregation == federation.Robust && asked >= fedavg.MinTrimmed:
		r.Method = fedavg.MixedTrimmedMean
	}
	return r
}

// methodOf names how the updates of a round of so many nodes are combined, for receipts.
func methodOf(s federation.Settings, asked int) string {
	if rule(s, 0, asked).Method == fedavg.Mean {
		return federation.Mean
	}
	return s.Aggregation
}

// maxNorm returns the norm above which an update is refused: the clip, and what the noise adds to it at most.
func maxNorm(s federation.Settings, values int) float64 {
	if s.Noise == 0 {
		return s.Clip
	}
	return privacy.MaxNorm(s.Clip, s.Noise, values)
}

// announced is the definition as nodes are sent it, some of which are older than federation.Robust.
func (c *Coordinator) announced() federation.Definition {
	d := c.state.Definition
	if d.Settings.Aggregation == federation.Robust {
		d.Settings.Aggregation = federation.Mean
	}
	return d
}
