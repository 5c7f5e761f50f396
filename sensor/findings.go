package sensor

import (
	"fmt"
	"math"
	"strings"
	"time"

	"edgelens"
	"edgelens/sensor/payload"
)

// onPoint returns the finding of a rule after a point, for the kinds that points decide.
func (s *series) onPoint(r *ruleState, point edgelens.Point) finding {
	switch r.rule.Kind {
	case edgelens.InsightThreshold:
		return s.threshold(r, point)
	case edgelens.InsightAnomaly:
		return s.anomalous(r.rule, point)
	case edgelens.InsightAbsence:
		f := finding{verdict: ends, confidence: 1, freshness: point.Freshness}
		if r.needsSummary(ends) {
			f.summary = s.name() + " sends values again: " + s.value(point.Value) + s.doubt(point.Freshness)
		}
		return f
	case edgelens.InsightStuck:
		return s.unchanged(r, point)
	}
	return finding{}
}

// confidenceOf is that of a statement about a single value: one of an unknown time may be
// old.
func confidenceOf(freshness edgelens.Freshness) float64 {
	if freshness == edgelens.FreshnessFresh {
		return 1
	}
	return 0.5
}

func (s *series) threshold(r *ruleState, point edgelens.Point) finding {
	f := finding{verdict: r.rule.compare(point.Value), confidence: confidenceOf(point.Freshness), freshness: point.Freshness}
	if !r.needsSummary(f.verdict) {
		return f
	}
	f.summary = s.name() + " is " + s.value(point.Value)
	switch {
	case f.verdict == ends:
		f.summary += ", within its limits again"
	case r.rule.Above != nil && point.Value > *r.rule.Above:
		f.summary += ", above " + s.value(*r.rule.Above)
	default:
		f.summary += ", below " + s.value(*r.rule.Below)
	}
	if f.verdict == holds && r.rule.For > 0 {
		f.summary += " for " + shortDuration(r.rule.For)
	}
	f.summary += s.doubt(point.Freshness)
	return f
}

// compare compares a value with the limits.
func (r *Rule) compare(value float64) verdict {
	switch {
	case r.Above != nil && value > *r.Above, r.Below != nil && value < *r.Below:
		return holds
	case r.Above != nil && value > *r.Above-r.Hysteresis, r.Below != nil && value < *r.Below+r.Hysteresis:
		return unclear
	}
	return ends
}

// anomalous finds anomalies that both rules mark and that are far enough. Its confidence is a
// bound that holds for every distribution (Chebyshev): values so far from the mean are at most
// one in score².
func (s *series) anomalous(r *Rule, point edgelens.Point) finding {
	a := point.Anomaly
	if a == nil || !a.BySigma || !a.ByRobust {
		return finding{}
	}
	score := math.Abs(a.Score())
	if score < r.score() {
		return finding{}
	}
	side := "above"
	if a.Score() < 0 {
		side = "below"
	}
	return finding{
		verdict: holds, confidence: (1 - 1/(score*score)) * confidenceOf(point.Freshness), freshness: point.Freshness,
		summary: fmt.Sprintf("%s is %s, %.1f standard deviations %s the values before it%s", s.name(), s.value(point.Value), score, side, s.doubt(point.Freshness)),
	}
}

func (s *series) unchanged(r *ruleState, point edgelens.Point) finding {
	n := s.window.Len()
	f := finding{verdict: ends, confidence: 1, freshness: point.Freshness}
	if s.stuck() {
		f.verdict, f.confidence = holds, float64(n)/float64(n+1)
	}
	switch {
	case !r.needsSummary(f.verdict):
	case f.verdict == holds:
		f.summary = fmt.Sprintf("%s has been %s for %d values in a row, and changed before%s", s.name(), s.value(point.Value), n, s.doubt(point.Freshness))
	default:
		f.summary = s.name() + " changes again: " + s.value(point.Value) + s.doubt(point.Freshness)
	}
	return f
}

// absent returns the finding of an absence rule at a time of the arrival clock; connected is
// when the broker was reached last. Its confidence is the share of earlier intervals that were
// shorter, with one more that was not.
func (s *series) absent(r *Rule, now, connected time.Duration) finding {
	intervals := r.Intervals
	if intervals == 0 {
		intervals = s.config.SilentIntervals
	}
	silence, silent := s.silence(intervals, now, connected)
	if !silent {
		return finding{}
	}
	n := float64(s.window.Len() - 1)
	return finding{
		verdict: holds, confidence: n / (n + 1),
		summary: fmt.Sprintf("%s has sent no value for %s; it usually sends one each %s.", s.name(), shortDuration(silence), shortDuration(s.state.Interval)),
	}
}

const (
	// minArrivals is how many values make an interval usual, and minSilence the shortest
	// silence: delays of the network are no absence.
	minArrivals = 5
	minSilence  = 5 * time.Second
)

// silence returns how long the series has been silent, and whether that is more than a number
// of its usual intervals. mu is held.
func (s *series) silence(intervals float64, now, connected time.Duration) (silence time.Duration, silent bool) {
	silence = now - max(s.arrival, connected)
	if s.state.Interval <= 0 || s.window.Len() < minArrivals {
		return silence, false
	}
	limit := max(minSilence, time.Duration(math.Min(intervals*float64(s.state.Interval), math.MaxInt64/2)))
	return silence, silence > limit
}

// trending returns the finding of a trend rule after an analysis.
func (s *series) trending(r *Rule) finding {
	slope, scale := s.state.Trend.Recent, "its latest values"
	if r.Long {
		slope, scale = s.state.Trend.Long, "means of ten minutes"
	}
	wanted := slope.Direction == edgelens.DirectionIncreasing || slope.Direction == edgelens.DirectionDecreasing
	if r.Direction != "" {
		wanted = slope.Direction == r.Direction
	}
	switch {
	case slope.Direction == edgelens.DirectionUnknown:
		return finding{}
	case wanted && math.Abs(slope.Change) >= r.MinChange:
		return finding{verdict: holds, confidence: 1 - slope.P, freshness: s.state.Freshness, summary: fmt.Sprintf(
			"%s is %s: by %s in %s, by %s%s", s.name(), slope.Direction, s.value(math.Abs(slope.Change)), shortDuration(slope.Span), scale, s.doubt(s.state.Freshness))}
	case wanted && math.Abs(slope.Change) >= r.MinChange/2:
		return finding{} // hysteresis
	}
	return finding{verdict: ends, confidence: 1, freshness: s.state.Freshness, summary: s.name() + " has no such trend anymore" + s.doubt(s.state.Freshness)}
}

// name names the series in a sentence.
func (s *series) name() string {
	return s.key.device + " " + strings.ReplaceAll(strings.TrimPrefix(s.key.field, payload.OwnPrefix), "_", " ")
}

// value writes a value with its unit.
func (s *series) value(v float64) string {
	text := fmt.Sprintf("%.4g", v)
	if math.Abs(v) >= 1e4 {
		text = fmt.Sprintf("%.0f", v)
	}
	switch s.state.Unit {
	case "":
		return text
	case "%":
		return text + "%"
	}
	return text + " " + s.state.Unit
}

// doubt ends a sentence, and adds what is not known about the reading.
func (s *series) doubt(freshness edgelens.Freshness) string {
	if freshness == edgelens.FreshnessUnknown {
		return ". When it was measured is unknown."
	}
	return "."
}

// shortDuration writes a duration to two units at most: 1m30s, 12h, 2d3h.
func shortDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Minute)
	}
	days := d / (24 * time.Hour)
	text := (d % (24 * time.Hour)).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	switch {
	case days == 0:
		return text
	case text == "0s":
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, text)
}
