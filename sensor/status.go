package sensor

import (
	"fmt"
	"maps"

	"edgelens/sensor/payload"
)

// Status is the state of a Monitor.
type Status struct {
	// Series and OwnSeries are the numbers of series of sensors and of edgelens itself;
	// MaxSeries limits each.
	Series, OwnSeries, MaxSeries int
	// Dropped counts the readings that were dropped because there were MaxSeries already,
	// GaveWay the silent series that gave way to new ones.
	Dropped, GaveWay int64
	// Points counts those taken, Refused the messages that hold no reading, by reason.
	Points  int64
	Refused map[string]int64
	// LostToStore and LostToSubscribers count the points that a slow Store or subscriber did not get,
	// LostInsights the insights that a slow Publisher did not.
	LostToStore, LostToSubscribers, LostInsights int64
	// Problem is a sentence on what is wrong; empty where nothing is.
	Problem string
}

// Status returns the state now.
func (m *Monitor) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	status := m.tally
	status.Series, status.OwnSeries, status.MaxSeries = len(m.sensors.series), len(m.own.series), m.config.MaxSeries
	status.Refused = maps.Clone(m.tally.Refused)
	status.Points = m.metrics.taken.Load()
	status.LostToStore, status.LostToSubscribers, status.LostInsights = m.metrics.lostStore.Load(), m.metrics.lostSubscribers.Load(), m.metrics.lostInsights.Load()
	if status.Dropped > 0 && status.Series >= status.MaxSeries {
		status.Problem = fmt.Sprintf("There are %d series, the limit (max_series); %d readings of further ones were dropped.", status.Series, status.Dropped)
	}
	return status
}

// silent counts the series of sensors that are silent.
func (m *Monitor) silent() (n int) {
	for _, s := range m.all() {
		s.mu.Lock()
		if s.state.Silent && !s.own {
			n++
		}
		s.mu.Unlock()
	}
	return n
}

// refused counts a refusal.
func (m *Monitor) refused(reason payload.Reason) {
	m.metrics.refused.WithLabelValues(string(reason)).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally.Refused[string(reason)]++
}
