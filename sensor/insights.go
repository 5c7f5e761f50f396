package sensor

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/internal/clocks"
	"edgelens/internal/uuid7"
)

const (
	// maxRecent is how many insights are remembered, and maxOutgoing how many may wait for the
	// Publisher.
	maxRecent, maxOutgoing = 200, 256
)

// insights limits and queues the insights of all series. It is safe for use by many
// goroutines; a series' mutex may be held.
type insights struct {
	log       *slog.Logger
	metrics   *metrics
	perMinute minuteLimit
	listeners *hub[edgelens.Insight]
	outgoing  chan edgelens.Insight

	mu     sync.Mutex
	recent []edgelens.Insight
}

func newInsights(config Config, log *slog.Logger, metrics *metrics) *insights {
	return &insights{
		log: log, metrics: metrics, perMinute: minuteLimit{limit: config.MaxInsightsPerMinute}, outgoing: make(chan edgelens.Insight, maxOutgoing),
		listeners: newHub[edgelens.Insight](config.MaxSubscriptions, metrics.lostBySubscriber),
	}
}

// follow takes a finding of one rule of a series. The series' mutex is held.
func (i *insights) follow(s *series, r *ruleState, f finding, now clocks.Reading) {
	i.act(s, r, r.take(r.inOwnWords(f, s), now.Monotonic), now)
}

// check raises what has held for long enough, or was suppressed until now. The series' mutex
// is held.
func (i *insights) check(s *series, r *ruleState, now clocks.Reading) {
	i.act(s, r, r.due(now.Monotonic), now)
}

func (i *insights) act(s *series, r *ruleState, do step, now clocks.Reading) {
	switch do {
	case stepRaise:
		if r.cooling(now.Monotonic) {
			i.drop(r)
			return
		}
		if !i.allowed(now.Monotonic) {
			r.suppress()
			i.drop(r)
			return
		}
		insight := s.insight(r, edgelens.InsightRaised, now)
		r.published(insight.ID, now.Monotonic)
		i.send(insight)
	case stepClear:
		insight := s.insight(r, edgelens.InsightCleared, now)
		insight.Raised, r.raised = r.raised, ""
		i.send(insight)
	}
}

// drop ends a suppressed moment; what lasts stays due.
func (i *insights) drop(r *ruleState) {
	if r.rule.Kind == edgelens.InsightAnomaly {
		i.metrics.suppressed.Inc()
		r.done()
	}
}

// allowed reports whether one more may be raised in the present minute.
func (i *insights) allowed(now time.Duration) bool {
	ok, first := i.perMinute.take(now)
	if first {
		i.log.Warn("insights are held back: too many in a minute", "event", "insights_limited", "limit", i.perMinute.limit)
	}
	return ok
}

// insight makes the insight of a rule.
func (s *series) insight(r *ruleState, state edgelens.InsightState, now clocks.Reading) edgelens.Insight {
	insight := edgelens.Insight{
		ID: uuid7.New(now.Wall), Kind: r.rule.Kind, State: state, Rule: r.rule.Name,
		Series: s.id, Device: s.key.device, Field: s.key.field, Severity: r.rule.severity(),
		Confidence: r.latest.confidence, Summary: r.latest.summary, At: now.Wall.UTC(),
		Value: s.state.Last, Unit: s.state.Unit, Freshness: r.latest.freshness, Suppressed: r.suppressed,
	}
	if state == edgelens.InsightRaised {
		insight.Actions = slices.Clone(r.rule.actions())
	}
	return insight
}

// send hands an insight to the Publisher and to the listeners, and remembers it.
func (i *insights) send(insight edgelens.Insight) {
	i.metrics.insights.WithLabelValues(string(insight.Kind), string(insight.State)).Inc()
	i.mu.Lock()
	if len(i.recent) == maxRecent {
		i.recent = slices.Delete(i.recent, 0, 1)
	}
	i.recent = append(i.recent, insight)
	i.mu.Unlock()
	i.listeners.send("", insight)
	select {
	case i.outgoing <- insight:
	default:
		i.metrics.lostInsight()
		i.log.Error("an insight was lost: the publisher is too slow", "event", "insight_lost", "id", insight.ID, "device", insight.Device, "rule", insight.Rule)
	}
}

// list returns the remembered insights, the latest first.
func (i *insights) list() []edgelens.Insight {
	i.mu.Lock()
	defer i.mu.Unlock()
	recent := slices.Clone(i.recent)
	slices.Reverse(recent)
	return recent
}
