package alarms

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Expression is a value of metrics: Prometheus computes it by its query, this process by itself, from a History.
type Expression interface {
	// Query is the value in PromQL, with the labels job and instance alone.
	Query() string
	// Eval returns the value; false where it is not known, as a share of nothing.
	Eval(h *History) (float64, bool)
}

// Match selects the series of a metric by the values of a label.
type Match struct {
	label  string
	values []string
}

// In selects series whose label has one of the values.
func In(label string, values ...string) Match { return Match{label, values} }

func (m Match) query() string {
	if len(m.values) == 1 {
		return fmt.Sprintf(`%s=%q`, m.label, m.values[0])
	}
	return fmt.Sprintf(`%s=~%q`, m.label, strings.Join(m.values, "|"))
}

func (m Match) selects(labels map[string]string) bool {
	return slices.Contains(m.values, labels[m.label])
}

// selector is a metric with its matches.
type selector struct {
	metric  string
	matches []Match
}

func (s selector) query() string {
	if len(s.matches) == 0 {
		return s.metric
	}
	parts := make([]string, 0, len(s.matches))
	for _, match := range s.matches {
		parts = append(parts, match.query())
	}
	return s.metric + "{" + strings.Join(parts, ",") + "}"
}

func (s selector) selects(series *series) bool {
	return !slices.ContainsFunc(s.matches, func(m Match) bool { return !m.selects(series.labels) })
}

// over aggregates the latest values of a metric's series.
type over struct {
	selector
	name   string
	reduce func(a, b float64) float64
}

// Max is the largest value of the series of a metric.
func Max(metric string, matches ...Match) Expression {
	return over{selector{metric, matches}, "max", math.Max}
}

// Min is the smallest value of the series of a metric.
func Min(metric string, matches ...Match) Expression {
	return over{selector{metric, matches}, "min", math.Min}
}

// Sum is the sum of the series of a metric.
func Sum(metric string, matches ...Match) Expression {
	return over{selector{metric, matches}, "sum", func(a, b float64) float64 { return a + b }}
}

// Query implements Expression.
func (o over) Query() string { return fmt.Sprintf("%s by (job, instance) (%s)", o.name, o.query()) }

// Eval implements Expression.
func (o over) Eval(h *History) (value float64, ok bool) {
	for _, s := range h.latest(o.metric) {
		switch {
		case !o.selects(s):
		case !ok:
			value, ok = s.value, true
		default:
			value = o.reduce(value, s.value)
		}
	}
	return value, ok
}

// rate is how fast the counters of a metric grow together.
type rate struct {
	selector
	span time.Duration
}

// Rate is by how much the series of a metric grow together a second, over a span.
func Rate(metric string, span time.Duration, matches ...Match) Expression {
	return rate{selector{metric, matches}, span}
}

// Query implements Expression.
func (r rate) Query() string {
	return fmt.Sprintf("sum by (job, instance) (rate(%s[%s]))", r.query(), shortDuration(r.span))
}

// Eval implements Expression.
func (r rate) Eval(h *History) (value float64, ok bool) {
	for _, s := range h.latest(r.metric) {
		if !r.selects(s) {
			continue
		}
		if before, seconds := h.before(s, r.span); before != nil {
			value, ok = value+(s.value-before.value)/seconds, true
		}
	}
	return value, ok
}

// quantile is one of a histogram.
type quantile struct {
	share  float64
	metric string
	span   time.Duration
}

// Quantile is the value that a share of the observations of a histogram is below, over a span.
func Quantile(share float64, metric string, span time.Duration) Expression {
	return quantile{share, metric, span}
}

// Query implements Expression.
func (q quantile) Query() string {
	return fmt.Sprintf("histogram_quantile(%v, sum by (job, instance, le) (rate(%s_bucket[%s])))", q.share, q.metric, shortDuration(q.span))
}

// Eval implements Expression. It interpolates within the bucket, as Prometheus does
// (https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile).
func (q quantile) Eval(h *History) (float64, bool) {
	var bounds []float64
	var counts []float64 // cumulative, of all series
	for _, s := range h.latest(q.metric) {
		before, _ := h.before(s, q.span)
		if before == nil || len(before.buckets) != len(s.buckets) {
			continue
		}
		if bounds == nil {
			counts = make([]float64, len(s.buckets))
			for _, b := range s.buckets {
				bounds = append(bounds, b.bound)
			}
		}
		if len(s.buckets) != len(bounds) {
			continue // of another program
		}
		for i := range counts {
			counts[i] += float64(s.buckets[i].count) - float64(before.buckets[i].count)
		}
	}
	if len(counts) < 2 || counts[len(counts)-1] <= 0 {
		return 0, false
	}
	rank := q.share * counts[len(counts)-1]
	i, _ := slices.BinarySearch(counts, rank)
	if i >= len(counts)-1 {
		return bounds[len(bounds)-2], true // in the last bucket, which has no end
	}
	start, below := 0.0, 0.0
	if i > 0 {
		start, below = bounds[i-1], counts[i-1]
	}
	return start + (bounds[i]-start)*(rank-below)/(counts[i]-below), true
}

// share is a in percent of b.
type share struct{ part, whole Expression }

// Percent is a part in percent of the whole.
func Percent(part, whole Expression) Expression { return share{part, whole} }

// Query implements Expression.
func (s share) Query() string { return "100 * " + s.part.Query() + " / " + s.whole.Query() }

// Eval implements Expression.
func (s share) Eval(h *History) (float64, bool) {
	part, ok := s.part.Eval(h)
	whole, known := s.whole.Eval(h)
	if !ok || !known || whole == 0 {
		return 0, false
	}
	return percent * part / whole, true
}

// daysUntil is the time until the earliest moment that a metric has.
type daysUntil struct{ metric string }

// DaysUntil is the number of days until the earliest moment of a metric, in seconds since 1970.
func DaysUntil(metric string) Expression { return daysUntil{metric} }

// Query implements Expression.
func (d daysUntil) Query() string { return "(" + Min(d.metric).Query() + " - time()) / 86400" }

// Eval implements Expression.
func (d daysUntil) Eval(h *History) (float64, bool) {
	at, ok := Min(d.metric).Eval(h)
	return (at - float64(h.now().Unix())) / day.Seconds(), ok
}

// shortDuration writes a duration as Prometheus reads it.
func shortDuration(d time.Duration) string {
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}} {
		if d >= unit.of && d%unit.of == 0 {
			return fmt.Sprintf("%d%s", d/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
