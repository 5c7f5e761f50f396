package sensor

import (
	"context"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/clocks"
)

const (
	// checkEvery is how often silence and waiting insights are checked, and analyses begun.
	checkEvery = time.Second
	// feedTimeout limits one call of a feeder, publishTimeout one of the Publisher.
	feedTimeout, publishTimeout = 10 * time.Second, 10 * time.Second
)

// run owns the goroutines of the Monitor.
func (m *Monitor) run(ctx context.Context) error {
	stored, stopStoring := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStoring()
	var work, storing sync.WaitGroup
	storing.Go(func() { m.outbox.run(stored) })
	work.Go(func() { m.publish(ctx) })
	if m.parts.Envelopes != nil {
		work.Go(func() { m.openSealed(ctx) })
	}
	work.Go(func() {
		every(ctx, checkEvery, func() {
			m.checkAll(m.clock())
			m.analyzeDue(ctx)
		})
	})
	for _, feeder := range m.parts.Feeders {
		work.Go(func() { every(ctx, m.config.FeedInterval, func() { m.feed(ctx, feeder) }) })
	}
	work.Wait()
	stopStoring() // after the last point
	storing.Wait()
	m.points.close()
	m.insights.listeners.close()
	return nil
}

// every calls do in intervals until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}

// publish hands the insights to the Publisher; those that are queued at the end, too.
func (m *Monitor) publish(ctx context.Context) {
	for {
		select {
		case insight := <-m.insights.outgoing:
			m.publishOne(ctx, insight)
		case <-ctx.Done():
			for {
				select {
				case insight := <-m.insights.outgoing:
					m.publishOne(ctx, insight)
				default:
					return
				}
			}
		}
	}
}

func (m *Monitor) publishOne(ctx context.Context, insight edgelens.Insight) {
	if m.parts.Publisher == nil {
		return
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout) // the last ones are published, too
	defer cancel()
	if err := m.parts.Publisher.PublishInsight(limited, insight); err != nil {
		m.metrics.lostInsight()
		m.log.Error("an insight was not published", "event", "insight_lost", "id", insight.ID, "device", insight.Device, "rule", insight.Rule, "error", err)
	}
}

// checkAll checks every series for silence, and its rules for what is due by now.
func (m *Monitor) checkAll(now clocks.Reading) {
	m.mu.Lock()
	online, connected := m.online, m.connected
	m.mu.Unlock()
	for _, s := range m.all() {
		m.check(s, now, online, connected)
	}
}

func (m *Monitor) check(s *series, now clocks.Reading, online bool, connected time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if online || s.own {
		_, s.state.Silent = s.silence(m.config.SilentIntervals, now.Monotonic, connected)
	}
	for _, r := range s.rules {
		switch {
		case r.rule.Kind == edgelens.InsightAbsence && (online || s.own):
			m.insights.follow(s, r, s.absent(r.rule, now.Monotonic, connected), now)
		case s.state.Silent && !r.active: // whether it still holds is unknown
		default:
			m.insights.check(s, r, now)
		}
	}
}

// analyzeDue analyzes the series whose analysis is due: as many at a time as keep up, so that
// a thousand series that begin at once are spread.
func (m *Monitor) analyzeDue(ctx context.Context) {
	all := m.all()
	limit := max(10, 2*len(all)*int(checkEvery/time.Millisecond)/int(m.config.AnalysisInterval/time.Millisecond))
	for _, s := range all {
		if limit == 0 || ctx.Err() != nil {
			return
		}
		now := m.clock()
		if s.analysisDue(now.Monotonic, m.config.AnalysisInterval) {
			limit--
			m.analyze(s, now)
		}
	}
}

func (s *series) analysisDue(now, interval time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dirty && s.window.Len() >= minArrivals && (s.analyzed == 0 || now-s.analyzed >= interval)
}

func (m *Monitor) analyze(s *series, now clocks.Reading) {
	began := time.Now()
	s.analyze(now.Monotonic, now.Wall)
	m.metrics.analysis.Observe(time.Since(began).Seconds())
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		if r.rule.Kind == edgelens.InsightTrend {
			m.insights.follow(s, r, s.trending(r.rule), now)
		}
	}
}

// feed takes the readings of a feeder.
func (m *Monitor) feed(ctx context.Context, feeder Feeder) {
	limited, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	if err := m.Observe(feeder.Readings(limited)...); err != nil {
		if suppressed, ok := m.limited.Pass("\x00feed", m.clock().Wall); ok {
			m.log.Warn("readings of a feeder were refused", "event", "sensor_feed", "error", err, "suppressed", suppressed)
		}
	}
}
