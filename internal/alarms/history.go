package alarms

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// ours begins the names of the service's own metrics.
const ours = "edgelens_"

// longest is the longest span of an expression, and spare what a snapshot may be late.
const longest, spare = window, time.Minute

// History has the metrics of the last minutes. The zero value is empty. It is for one goroutine.
type History struct {
	snapshots []snapshot // the oldest first
}

// snapshot has the metrics at a moment, by the name of the metric.
type snapshot struct {
	at     time.Time
	series map[string][]*series
}

// series is one series of a metric at a moment.
type series struct {
	key    string // its metric and labels
	labels map[string]string
	value  float64
	// buckets are those of a histogram, cumulative; the last one has no end.
	buckets []bucket
}

type bucket struct {
	bound float64
	count uint64
}

// Add takes what a registry has gathered at a moment, which is after that of the last call, and forgets what is too old.
func (h *History) Add(at time.Time, families []*dto.MetricFamily) {
	taken := snapshot{at, map[string][]*series{}}
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, ours) {
			continue
		}
		for _, metric := range family.GetMetric() {
			taken.series[name] = append(taken.series[name], newSeries(name, metric))
		}
	}
	old := 0
	for old < len(h.snapshots) && at.Sub(h.snapshots[old].at) > longest+spare {
		old++
	}
	h.snapshots = append(slices.Delete(h.snapshots, 0, old), taken)
}

func newSeries(name string, metric *dto.Metric) *series {
	s := &series{labels: map[string]string{}}
	for _, label := range metric.GetLabel() {
		s.labels[label.GetName()] = label.GetValue()
	}
	names := slices.Sorted(maps.Keys(s.labels))
	parts := []string{name}
	for _, label := range names {
		parts = append(parts, label, s.labels[label])
	}
	s.key = strings.Join(parts, "\xff")
	switch histogram := metric.GetHistogram(); {
	case histogram != nil:
		for _, b := range histogram.GetBucket() {
			s.buckets = append(s.buckets, bucket{b.GetUpperBound(), b.GetCumulativeCount()})
		}
		if n := len(s.buckets); n == 0 || !math.IsInf(s.buckets[n-1].bound, 1) {
			s.buckets = append(s.buckets, bucket{math.Inf(1), histogram.GetSampleCount()})
		}
	case metric.GetCounter() != nil:
		s.value = metric.GetCounter().GetValue()
	case metric.GetGauge() != nil:
		s.value = metric.GetGauge().GetValue()
	default:
		s.value = metric.GetUntyped().GetValue()
	}
	return s
}

// now is the moment of the latest snapshot.
func (h *History) now() time.Time {
	if len(h.snapshots) == 0 {
		return time.Time{}
	}
	return h.snapshots[len(h.snapshots)-1].at
}

// latest returns the series of a metric in the latest snapshot.
func (h *History) latest(metric string) []*series {
	if len(h.snapshots) == 0 {
		return nil
	}
	return h.snapshots[len(h.snapshots)-1].series[metric]
}

// before returns a series as it was first seen within a span, and how many seconds ago that was; nil where it was not.
func (h *History) before(s *series, span time.Duration) (*series, float64) {
	metric, _, _ := strings.Cut(s.key, "\xff")
	for _, earlier := range h.snapshots[:max(0, len(h.snapshots)-1)] {
		ago := h.now().Sub(earlier.at)
		if ago > span+time.Second { // a tick may come some milliseconds late
			continue
		}
		for _, one := range earlier.series[metric] {
			if one.key == s.key {
				return one, ago.Seconds()
			}
		}
	}
	return nil, 0
}
