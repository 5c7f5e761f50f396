package sensor

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/clocks"
	"edgelens/internal/stream"
)

const (
	// quantileSpan is what the quantiles are of; bucketWidth and bucketLimit are of the
	// means for what takes days: 84 hours, three days and a half.
	quantileSpan = 24 * time.Hour
	bucketWidth  = 10 * time.Minute
	bucketLimit  = 504
)

// key identifies a series in memory.
type key struct{ device, field string }

// series is the state of one series: some 20 kB with the default window, however many values
// it gets.
type series struct {
	id   string
	key  key
	own  bool          // of edgelens itself
	used *list.Element // in the pool's order of arrival; guarded by the Monitor's mutex

	mu        sync.Mutex
	config    *Config
	window    *stream.Window
	quantiles *stream.Quantiles
	buckets   *stream.Buckets
	state     edgelens.Series
	// seq is that of the newest point; marks are of the points of the window that are not
	// simply fresh.
	seq   int64
	marks []mark
	// arrival is the latest one and changed when the value last changed, by the arrival clock;
	// varied is set once it has.
	arrival, changed time.Duration
	varied           bool
	// analyzed is when the analysis last ran, and dirty whether values came since.
	analyzed time.Duration
	dirty    bool
	long     longAnalysis
	// described is what the Store knows of it.
	described    SeriesInfo
	descriptions int
	rules        []*ruleState
}

// mark is what a point of the window is besides its value.
type mark struct {
	seq       int64
	freshness edgelens.Freshness
	anomaly   *edgelens.Anomaly
}

func newSeries(k key, own bool, config *Config, rules []Rule) (*series, error) {
	quantiles, err := stream.NewQuantiles(quantileSpan)
	if err != nil {
		return nil, fmt.Errorf("begin the series %s %s: %w", k.device, k.field, err)
	}
	s := &series{
		id: edgelens.SeriesID(k.device, k.field), key: k, own: own, config: config,
		window: stream.NewWindow(config.Window, config.WindowAge), quantiles: quantiles, buckets: stream.NewBuckets(bucketWidth, bucketLimit),
	}
	s.state = edgelens.Series{ID: s.id, Device: k.device, Field: k.field, NoPrediction: tooFew(0)}
	unknown := edgelens.Slope{Direction: edgelens.DirectionUnknown, P: 1}
	s.long.slope = unknown
	s.state.Trend = edgelens.Trend{Simple: edgelens.DirectionUnknown, Recent: unknown, Long: unknown}
	for i := range rules {
		if rule := &rules[i]; rule.matches(k.device, k.field) {
			s.rules = append(s.rules, &ruleState{rule: rule})
		}
	}
	return s, nil
}

// add takes a reading and returns its point. A replayed one is in no statistics, and has no
// point where its time is unknown. mu is held.
func (s *series) add(r edgelens.Reading, now clocks.Reading) (point edgelens.Point, ok bool, err error) {
	s.describe(r)
	if r.Freshness == edgelens.FreshnessReplayed {
		s.state.Replayed++
		if s.state.Points == 0 { // why a series has no values
			s.state.Freshness, s.state.FreshnessReason = r.Freshness, r.FreshnessReason
		}
		return edgelens.Point{Series: s.id, At: r.At, Value: r.Value, Freshness: r.Freshness}, !r.At.IsZero(), nil
	}
	s.window.Evict(now.Monotonic)
	anomaly := s.anomaly(r.Value)
	before, hasBefore := s.window.Newest()
	if hasBefore && before.Value != r.Value {
		s.varied = true
	}
	if !hasBefore || before.Value != r.Value {
		s.changed = now.Monotonic
		s.state.StuckSince = r.ReceivedAt
	}
	s.seq++
	s.arrival, s.dirty = now.Monotonic, true
	s.window.Add(stream.Sample{At: r.At.UnixNano(), Arrival: now.Monotonic, Value: r.Value})
	s.buckets.Add(now.Monotonic, r.Value)
	err = s.quantiles.Add(now.Monotonic, r.Value)
	s.count(r, anomaly)
	if anomaly != nil || r.Freshness != edgelens.FreshnessFresh {
		s.mark(mark{seq: s.seq, freshness: r.Freshness, anomaly: anomaly})
	}
	return edgelens.Point{Series: s.id, Seq: s.seq, At: r.At, Value: r.Value, Freshness: r.Freshness, Anomaly: anomaly}, true, err
}

// describe takes unit and location, which a reading may lack.
func (s *series) describe(r edgelens.Reading) {
	if r.Unit != "" {
		s.state.Unit = r.Unit
	}
	if r.Location != "" {
		s.state.Location = r.Location
	}
}

// anomaly compares a value with the window before it.
func (s *series) anomaly(value float64) *edgelens.Anomaly {
	if s.window.Len() < s.config.MinPoints {
		return nil
	}
	sigma, robust, ok := s.window.Distances(value, s.config.Sigma, s.config.Robust)
	if !ok {
		return nil
	}
	found := &edgelens.Anomaly{Sigma: sigma, Robust: robust, BySigma: beyond(sigma, s.config.Sigma), ByRobust: beyond(robust, s.config.Robust)}
	if !found.BySigma && !found.ByRobust {
		return nil
	}
	return found
}

func beyond(distance, limit float64) bool { return distance > limit || distance < -limit }

// count updates the published state.
func (s *series) count(r edgelens.Reading, anomaly *edgelens.Anomaly) {
	if s.state.Points++; s.state.Points == 1 {
		s.state.FirstAt = r.ReceivedAt
	}
	s.state.Last, s.state.LastAt, s.state.ReceivedAt = r.Value, r.At, r.ReceivedAt
	s.state.Freshness, s.state.FreshnessReason = r.Freshness, r.FreshnessReason
	s.state.Silent = false
	if r.Freshness == edgelens.FreshnessUnknown {
		s.state.Unknown++
	}
	if anomaly != nil {
		s.state.Anomalies++
		s.state.LastAnomalyAt = r.At
	}
}

// mark adds a mark, and removes those of points that left the window.
func (s *series) mark(m mark) {
	oldest, drop := s.seq-int64(s.window.Len()), 0
	for drop < len(s.marks) && s.marks[drop].seq <= oldest {
		drop++
	}
	s.marks = append(s.marks[:copy(s.marks, s.marks[drop:])], m)
}

// stuck reports whether equal values fill the window, and there were others before. mu is
// held.
func (s *series) stuck() bool {
	return s.varied && s.window.Len() >= s.config.Window && s.window.Constant()
}

// points returns the points of the window after a sequence number, the oldest first.
func (s *series) points(after int64) []edgelens.Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	samples := s.window.Samples(make([]stream.Sample, 0, s.window.Len()))
	first := s.seq - int64(len(samples)) + 1
	points := make([]edgelens.Point, 0, len(samples))
	marks := s.marks
	for i, sample := range samples {
		seq := first + int64(i)
		for len(marks) > 0 && marks[0].seq < seq {
			marks = marks[1:]
		}
		if seq <= after {
			continue
		}
		point := edgelens.Point{Series: s.id, Seq: seq, At: time.Unix(0, sample.At).UTC(), Value: sample.Value, Freshness: edgelens.FreshnessFresh}
		if len(marks) > 0 && marks[0].seq == seq {
			point.Freshness, point.Anomaly = marks[0].freshness, marks[0].anomaly
		}
		points = append(points, point)
	}
	return points
}
