package sensor

import (
	"cmp"
	"fmt"
	"slices"

	"edgelens"
)

// lookup returns the series of an id; nil for none.
func (m *Monitor) lookup(id string) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.byID[id]
}

// all returns every series, in no order.
func (m *Monitor) all() []*series {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*series, 0, len(m.byID))
	for _, s := range m.byID {
		all = append(all, s)
	}
	return all
}

// Series returns the series of a device, or of all where it is empty, by device and field.
func (m *Monitor) Series(device string) ([]edgelens.Series, error) {
	var found []edgelens.Series
	for _, s := range m.all() {
		if device != "" && s.key.device != device {
			continue
		}
		state, err := s.snapshot()
		if err != nil {
			return nil, err
		}
		found = append(found, state)
	}
	slices.SortFunc(found, func(a, b edgelens.Series) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Field, b.Field))
	})
	return found, nil
}

// OneSeries returns a series; edgelens.ErrNotFound for an unknown id.
func (m *Monitor) OneSeries(id string) (edgelens.Series, error) {
	s := m.lookup(id)
	if s == nil {
		return edgelens.Series{}, fmt.Errorf("the series %.40q: %w", id, edgelens.ErrNotFound)
	}
	return s.snapshot()
}

// Points returns the points of a series' window after a sequence number (0 for all), the oldest
// first; edgelens.ErrNotFound for an unknown id. A subscription that is made first misses none,
// and may repeat some, which Seq shows.
func (m *Monitor) Points(id string, after int64) ([]edgelens.Point, error) {
	s := m.lookup(id)
	if s == nil {
		return nil, fmt.Errorf("the points of the series %.40q: %w", id, edgelens.ErrNotFound)
	}
	return s.points(after), nil
}

// Insights returns the latest insights of this process, at most 200, the latest first.
func (m *Monitor) Insights() []edgelens.Insight { return m.insights.list() }

// ActiveInsight is a condition that holds, and whose insight was raised.
type ActiveInsight struct {
	// ID is that of the raised insight.
	ID             string
	Rule           string
	Kind           edgelens.InsightKind
	Severity       edgelens.InsightSeverity
	Series, Device string
	Field, Summary string
}

// Active returns the raised insights that are not cleared, by device, field and rule.
func (m *Monitor) Active() []ActiveInsight {
	var active []ActiveInsight
	for _, s := range m.all() {
		s.mu.Lock()
		for _, r := range s.rules {
			if r.raised != "" {
				active = append(active, ActiveInsight{
					ID: r.raised, Rule: r.rule.Name, Kind: r.rule.Kind, Severity: r.rule.severity(),
					Series: s.id, Device: s.key.device, Field: s.key.field, Summary: r.latest.summary,
				})
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(active, func(a, b ActiveInsight) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Rule, b.Rule))
	})
	return active
}
