package sensor

import (
	"slices"

	"edgelens"
)

// Forget removes what a filter selects from memory: series with their statistics, points that are not stored yet, and
// insights. It returns how many series there were; they begin anew with the next reading. Once it returns, no value of before
// goes to the Store.
func (m *Monitor) Forget(filter edgelens.SeriesErasure) int {
	selects := func(id, device string) bool {
		return filter != edgelens.SeriesErasure{} && (filter.Series == "" || filter.Series == id) && (filter.Device == "" || filter.Device == device)
	}
	forgotten := map[string]bool{}
	m.mu.Lock()
	for id, s := range m.byID {
		if !selects(id, s.key.device) {
			continue
		}
		forgotten[id] = true
		delete(m.byID, id)
		if s.own {
			m.own.remove(s)
		} else {
			m.sensors.remove(s)
		}
	}
	for key, insight := range m.raised {
		if selects(insight.Series, insight.Device) {
			delete(m.raised, key)
		}
	}
	m.mu.Unlock()
	m.insights.forget(selects)
	m.outbox.forget(func(id string) bool { return forgotten[id] || filter.Device == "" && filter.Series == id })
	return len(forgotten)
}

// forget drops the remembered insights that are selected.
func (i *insights) forget(selects func(series, device string) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.recent = slices.DeleteFunc(i.recent, func(one edgelens.Insight) bool { return selects(one.Series, one.Device) })
}

// forget drops the queued points of the series that are selected, once those are stored that the Store has just now. The
// next point of every series comes with its description: the Store may forget what it knows.
func (q *storeQueue) forget(selects func(series string) bool) {
	q.flushing.Lock()
	defer q.flushing.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.descriptions++
	q.points = slices.DeleteFunc(q.points, func(p edgelens.Point) bool { return selects(p.Series) })
	for id := range q.series {
		if selects(id) {
			delete(q.series, id)
		}
	}
}
