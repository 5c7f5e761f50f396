package sensor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/clocks"
	"edgelens/internal/stream"
	"edgelens/sensor/payload"
)

// Past is what is stored of earlier runs.
type Past struct {
	// Series are series of sensors, with their newest points.
	Series []edgelens.SeriesPast
	// Raised are the insights that were raised and not cleared.
	Raised []edgelens.Insight
}

// Restore continues from an earlier run: its windows show which sensors fell silent while this node was down, and what was
// raised then is cleared when it ends. A series that has had values in this run keeps those alone. Restored points are in the
// statistics of the window, and in nothing else: they were counted and sent before.
func (m *Monitor) Restore(past Past) {
	now := m.clock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, insight := range past.Raised {
		m.raised[raisedKey{insight.Series, insight.Rule}] = insight
	}
	for _, s := range m.byID {
		m.resume(s, now)
	}
	series := slices.Clone(past.Series)
	slices.SortStableFunc(series, func(a, b edgelens.SeriesPast) int { return cmp.Compare(a.LastAt.UnixNano(), b.LastAt.UnixNano()) })
	series = series[max(0, len(series)-m.sensors.limit):]
	for i := range series {
		m.restore(&series[i], now)
	}
}

// restore begins a series with its past, where it has not begun and there is room. mu is held.
func (m *Monitor) restore(past *edgelens.SeriesPast, now clocks.Reading) {
	k := key{past.Device, past.Field}
	if len(past.Points) == 0 || strings.HasPrefix(k.field, payload.OwnPrefix) || m.sensors.series[k] != nil || len(m.sensors.series) >= m.sensors.limit {
		return
	}
	s, err := newSeries(k, false, &m.config, m.rules)
	if err != nil {
		m.log.Error("a series was not restored", "event", "sensor_series", "device", k.device, "field", k.field, "error", err)
		return
	}
	m.sensors.add(s, s.restore(past, now))
	m.byID[s.id] = s
	m.resume(s, now)
}

// restore fills the window, and returns the arrival of the last value. Nothing else has the series yet.
func (s *series) restore(past *edgelens.SeriesPast, now clocks.Reading) time.Duration {
	s.state.Unit, s.state.Location = past.Unit, past.Location
	last := past.Points[len(past.Points)-1]
	ahead := max(0, last.At.Sub(now.Wall)) // the clock was set back, or is not set yet: the last value is of now then
	for _, p := range past.Points {
		arrival := now.Monotonic - now.Wall.Add(ahead).Sub(p.At)
		if before, any := s.window.Newest(); !any || before.Value != p.Value {
			s.varied = s.varied || any
			s.changed, s.state.StuckSince = arrival, p.At
		}
		s.window.Add(stream.Sample{At: p.At.UnixNano(), Arrival: arrival, Value: p.Value})
		s.arrival = arrival
	}
	s.dirty = true
	s.state.Last, s.state.LastAt, s.state.ReceivedAt, s.state.Freshness = last.Value, last.At, last.At, last.Freshness
	return s.arrival
}

// raisedKey is a rule of a series.
type raisedKey struct{ series, rule string }

// resume continues the insights of a series that an earlier run raised. mu is held, and that of the series is not.
func (m *Monitor) resume(s *series, now clocks.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		at := raisedKey{s.id, r.rule.Name}
		insight, ok := m.raised[at]
		if !ok {
			continue
		}
		delete(m.raised, at)
		if r.raised == "" && r.rule.Kind == insight.Kind {
			r.resume(insight, now.Monotonic)
			s.varied = s.varied || insight.Kind == edgelens.InsightStuck
		}
	}
}

// resume makes the state that raised an insight.
func (r *ruleState) resume(insight edgelens.Insight, now time.Duration) {
	r.armed, r.pending, r.active, r.any = true, true, true, true
	r.since, r.last, r.raised = now, now, insight.ID
	r.latest = finding{verdict: holds, confidence: insight.Confidence, summary: insight.Summary, freshness: insight.Freshness}
}
