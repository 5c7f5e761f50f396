package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/stats"
	"edgelens/benchmarks/table"
)

// The outcomes of a target.
const (
	Reached     = "reached"
	Missed      = "missed"
	NotMeasured = "not measured"
)

// Target is a bound on a metric of the service, and whether it is met.
type Target struct {
	Name string
	// Want is the bound: a lower one where AtLeast, otherwise an upper one.
	Want     float64
	AtLeast  bool
	Unit     string
	Value    float64
	Interval stats.Interval
	Outcome  string
	// Why is the reason why it is not measured, or missed.
	Why string
}

// TargetConnections is the number of connections of the targets.
const TargetConnections = 8

// ManyConnections is the number of connections with which nothing may be refused.
const ManyConnections = 64

// soak is the minimum duration of full load for the memory target, in seconds.
const soak = 600

// Targets evaluates the project's targets for a complete run. Ratios are taken run by run, between cases that
// alternated.
func Targets(s *Summary) []Target {
	var targets []Target
	for _, size := range []string{"720p", "1080p"} {
		ceiling := s.Find(func(c record.Case) bool {
			return c.Suite != record.SuitePeers && c.Mode == record.ModeCeiling && strings.Contains(c.Image, size)
		})
		sync := s.Find(closed(record.KindSync, size))
		targets = append(targets,
			ratio(Target{Name: "sync throughput / ceiling, " + size, Want: 0.90, AtLeast: true}, sync, ceiling, Throughput),
			ratio(Target{Name: "server CPU per request / ceiling's, " + size, Want: 1.10}, sync, ceiling, CPU))
	}
	for _, size := range []string{"720p", "1080p"} {
		open := s.Find(func(c record.Case) bool {
			return c.Mode == record.ModeOpen && strings.Contains(c.Image, size) && c.LoadOfPeak > 0.69 && c.LoadOfPeak < 0.71
		})
		targets = append(targets, compareTarget(Target{Name: "p99 / p50 at 70% of peak, open loop, " + size, Want: 2.5, Unit: Ratio}, open, Tail))
	}
	targets = append(targets, ratio(Target{Name: "cache hits / uncached throughput, 720p", Want: 20, AtLeast: true},
		s.Find(closed(record.KindCached, "720p")), s.Find(closed(record.KindSync, "720p")), Throughput))
	for _, size := range []string{"720p", "1080p"} {
		many := Target{Name: fmt.Sprintf("refused with %d connections, %s", ManyConnections, size), Want: 0, Unit: Percent}
		targets = append(targets, compareTarget(many, s.Find(closedOf(record.KindSync, size, ManyConnections)), Refused))
	}
	start := s.Find(func(c record.Case) bool { return c.Mode == ModeStart })
	targets = append(targets,
		compareTarget(Target{Name: "ready after exec", Want: 500, Unit: Milliseconds}, start, Ready),
		compareTarget(Target{Name: "resident memory, idle", Want: 120, Unit: Megabytes}, start, Idle))
	targets = append(targets, s.soaked()...)
	return append(targets, PeerTargets(s)...)
}

func closed(kind, size string) func(record.Case) bool {
	return closedOf(kind, size, TargetConnections)
}

func closedOf(kind, size string, connections int) func(record.Case) bool {
	return func(c record.Case) bool {
		return c.Suite != record.SuitePeers && c.Mode == record.ModeClosed && c.Kind == kind && c.Connections == connections && strings.Contains(c.Image, size)
	}
}

// soaked evaluates the memory after ten minutes of full load, and its growth.
func (s *Summary) soaked() []Target {
	after := Target{Name: "resident memory after ten minutes of full load", Want: 200, Unit: Megabytes}
	flat := Target{Name: "the same / after the first of them", Want: 1.1, Unit: Ratio}
	c := s.Find(func(c record.Case) bool { return c.Mode == record.ModeSoak })
	if c != nil && s.loaded(c) >= soak {
		if m, ok := c.Metric(Memory); ok {
			last := m.Values[len(m.Values)-1]
			return []Target{after.decide([]float64{last}), flat.decide([]float64{last / m.Values[0]})}
		}
	}
	const why = "the load was shorter; add --soak 10m"
	return []Target{unmeasured(after, why), unmeasured(flat, why)}
}

// loaded is the total duration of load of a case, in seconds.
func (s *Summary) loaded(c *Case) float64 {
	if m, ok := c.Metric(Throughput); ok && m.Median() > 0 {
		return float64(c.Good) / stats.Mean(m.Values)
	}
	return 0
}

// compareTarget uses the metric itself.
func compareTarget(t Target, c *Case, metric string) Target {
	if c == nil {
		return unmeasured(t, "the case was not measured")
	}
	m, ok := c.Metric(metric)
	if !ok {
		return unmeasured(t, "it had no good answers")
	}
	return t.decide(m.Values)
}

// ratio divides one case's metric by another's, run by run.
func ratio(t Target, over, under *Case, metric string) Target {
	t.Unit = Ratio
	values, why := runByRun(over, under, metric)
	if why != "" {
		return unmeasured(t, why)
	}
	return t.decide(values)
}

// runByRun returns the ratio of each run, or why there is none.
func runByRun(over, under *Case, metric string) (values []float64, why string) {
	if over == nil || under == nil {
		return nil, "the case was not measured"
	}
	a, okA := over.Metric(metric)
	b, okB := under.Metric(metric)
	if !okA || !okB || len(a.Values) != len(b.Values) || slices.Contains(b.Values, 0) {
		return nil, "a run had no good answers"
	}
	values = make([]float64, len(a.Values))
	for i := range values {
		values[i] = a.Values[i] / b.Values[i]
	}
	return values, ""
}

func unmeasured(t Target, why string) Target {
	t.Outcome, t.Why = NotMeasured, why
	return t
}

func (t Target) decide(values []float64) Target {
	t.Value, t.Interval = stats.Median(values), stats.MedianInterval(values, 1)
	t.Outcome = Missed
	if t.AtLeast && t.Value >= t.Want || !t.AtLeast && t.Value <= t.Want {
		t.Outcome = Reached
	}
	return t
}

func targetRows(targets []Target) [][]string {
	rows := [][]string{{"target", "want", "have", "95% interval", "outcome"}}
	for _, t := range targets {
		want := "at most "
		if t.AtLeast {
			want = "at least "
		}
		want += number(t.Want) + unit(t.Unit)
		have, interval, outcome := "-", "-", t.Outcome
		if t.Outcome == NotMeasured {
			outcome += ": " + t.Why
		} else {
			have = number(t.Value) + unit(t.Unit)
			interval = fmt.Sprintf("%s to %s", number(t.Interval.Low), number(t.Interval.High))
		}
		if t.Outcome == Missed {
			outcome = "MISSED"
			if t.Want != 0 {
				outcome = fmt.Sprintf("MISSED by %.0f%%", 100*max(t.Want-t.Value, t.Value-t.Want)/t.Want)
			}
			if t.Why != "" {
				outcome += ": " + t.Why
			}
		}
		rows = append(rows, []string{t.Name, want, have, interval, outcome})
	}
	return rows
}

// TargetsText writes the targets for a terminal.
func TargetsText(w io.Writer, targets []Target) error { return table.Text(w, targetRows(targets)) }

// CountTargets counts the missed targets and those that were not measured.
func CountTargets(targets []Target) (missed, unmeasured int) {
	for _, t := range targets {
		switch t.Outcome {
		case Missed:
			missed++
		case NotMeasured:
			unmeasured++
		}
	}
	return missed, unmeasured
}
