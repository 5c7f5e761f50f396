// Package sensor follows numeric readings of sensors, and of edgelens itself: it keeps
// statistics of each series in constant memory, marks anomalies, and makes insights by rules.
// Package payload parses the messages, package simulate generates some.
package sensor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/internal/clocks"
	"edgelens/internal/loglimit"
	"edgelens/sensor/payload"
	"edgelens/terminal/clock"
)

// maxRefusalLines is how many log lines about refused messages there are in a minute: topics are
// free to invent.
const maxRefusalLines = 30

// busyFor is after which time a retry of a refused subscription is worth it.
const busyFor = 5 * time.Second

// Parts are what a Monitor works with.
type Parts struct {
	// Store and Publisher may be nil: then points are not stored, and insights not published.
	Store     Store
	Publisher Publisher
	Feeders   []Feeder
	// Envelopes opens sealed messages; nil: there are none. MustSeal reports whether a device is set to send sealed values only;
	// nil: none is.
	Envelopes Envelopes
	MustSeal  func(device string) bool
	Log       *slog.Logger
	Metrics   prometheus.Registerer
	// Clock is nil for this process's.
	Clock clocks.Clock
	// Zone is that of times without one; nil for this machine's.
	Zone clock.Zone
}

// Monitor follows the series. It is safe for use by many goroutines; Run must be called once
// for silence, analysis, storing and publishing.
type Monitor struct {
	config  Config
	rules   []Rule
	parts   Parts
	log     *slog.Logger
	clock   clocks.Clock
	parser  *payload.Parser
	metrics *metrics
	limited loglimit.Limiter
	// refusals limits the log lines about all topics together.
	refusals minuteLimit
	insights *insights
	points   *hub[edgelens.Point]
	outbox   *storeQueue
	// sealed are the envelopes that wait to be opened.
	sealed chan sealedMessage

	mu           sync.Mutex
	sensors, own *pool
	byID         map[string]*series
	// raised are the insights of an earlier run whose series have not begun in this one.
	raised map[raisedKey]edgelens.Insight
	tally  Status
	// connected is when the broker was reached last, by the arrival clock; online is whether
	// it is now.
	connected time.Duration
	online    bool
}

// New returns a Monitor; the configuration must be valid.
func New(config Config, parts Parts) (*Monitor, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("make a monitor of sensors: %w: %w", edgelens.ErrInvalid, err)
	}
	rules, err := ParseRules(config.Rules)
	if err != nil {
		return nil, fmt.Errorf("make a monitor of sensors: %w: %w", edgelens.ErrInvalid, err)
	}
	if parts.Clock == nil {
		parts.Clock = clocks.System()
	}
	if parts.Log == nil {
		parts.Log = slog.New(slog.DiscardHandler)
	}
	if parts.Metrics == nil {
		parts.Metrics = prometheus.NewRegistry()
	}
	m := &Monitor{
		config: config, rules: rules, parts: parts, log: parts.Log, clock: parts.Clock,
		parser:  &payload.Parser{Topics: config.Topics, Zone: parts.Zone, Fresh: config.Fresh, MaxBytes: config.MaxPayloadBytes},
		sensors: newPool(config.MaxSeries, config.GiveWayAfter), own: newPool(config.MaxSeries, config.GiveWayAfter),
		refusals: minuteLimit{limit: maxRefusalLines}, byID: map[string]*series{}, raised: map[raisedKey]edgelens.Insight{}, online: true, tally: Status{Refused: map[string]int64{}},
	}
	m.metrics = newMetrics(parts.Metrics, m)
	m.points = newHub[edgelens.Point](config.MaxSubscriptions, m.metrics.lostBySubscriber)
	m.insights = newInsights(config, m.log, m.metrics)
	m.sealed = make(chan sealedMessage, waitingEnvelopes)
	m.outbox = newStoreQueue(parts.Store, m.log, m.metrics)
	return m, nil
}

// Topics returns the filters to subscribe to.
func (m *Monitor) Topics() []string { return slices.Clone(m.config.Topics) }

// Rules returns the rules in force.
func (m *Monitor) Rules() []Rule { return slices.Clone(m.rules) }

// Receive takes an MQTT message. A message that holds no reading is counted, logged once per
// topic and minute, and returned as an error, a *payload.Refusal. A sealed one is opened by Run, after Receive returned.
func (m *Monitor) Receive(topic string, body []byte, retained bool) error {
	if m.parts.Envelopes != nil && m.parts.Envelopes.IsSealed(body) {
		return m.receiveSealed(topic, body, retained)
	}
	now := m.clock()
	result, err := m.parser.Parse(payload.Message{Topic: topic, Payload: body, Retained: retained, ReceivedAt: now.Wall})
	if err == nil {
		err = m.checkPlain(result.Readings)
	}
	if err != nil {
		m.refuse(topic, err, now)
		return err
	}
	for _, reading := range result.Readings {
		m.observe(reading, now, false)
	}
	return nil
}

// refuse counts and logs a refusal.
func (m *Monitor) refuse(topic string, err error, now clocks.Reading) {
	refusal := &payload.Refusal{Reason: "other"}
	errors.As(err, &refusal)
	m.refused(refusal.Reason)
	if refusal.Reason == payload.Empty {
		return // it clears a retained message
	}
	shown := clip.Line(topic, 120)
	suppressed, ok := m.limited.Pass(shown, now.Wall)
	if !ok {
		return
	}
	switch ok, first := m.refusals.take(now.Monotonic); {
	case first:
		m.log.Warn("more sensor messages of other topics are refused than are logged", "event", "sensor_messages_refused", "lines_per_minute", maxRefusalLines)
	case ok:
		m.log.Warn("a sensor's message was refused", "event", "sensor_message_refused", "topic", shown, "reason", refusal.Reason, "detail", refusal.Sentence, "suppressed", suppressed)
	}
}

// Observe takes readings of edgelens' own streams, whose times it sets: fields begin with
// "edgelens.". An error wraps edgelens.ErrInvalid; the valid ones are taken.
func (m *Monitor) Observe(readings ...edgelens.Reading) error {
	now := m.clock()
	var errs []error
	for _, r := range readings {
		if err := validOwn(r); err != nil {
			errs = append(errs, err)
			continue
		}
		r.At, r.ReceivedAt, r.Freshness, r.FreshnessReason, r.Stamped = now.Wall.UTC(), now.Wall, edgelens.FreshnessFresh, "", false
		m.observe(r, now, true)
	}
	return errors.Join(errs...)
}

func validOwn(r edgelens.Reading) error {
	switch {
	case !strings.HasPrefix(r.Field, payload.OwnPrefix), r.Device == "", len(r.Device) > edgelens.MaxSensorName, len(r.Field) > edgelens.MaxSensorName:
		return fmt.Errorf("observe %.40q of %.40q: it needs a device, and a field that begins with %s: %w", r.Field, r.Device, payload.OwnPrefix, edgelens.ErrInvalid)
	case !(r.Value >= -edgelens.MaxSensorValue && r.Value <= edgelens.MaxSensorValue):
		return fmt.Errorf("observe %.40q of %.40q: the value %v is not finite or too large: %w", r.Field, r.Device, r.Value, edgelens.ErrInvalid)
	}
	return nil
}

// observe takes a valid reading.
func (m *Monitor) observe(r edgelens.Reading, now clocks.Reading, own bool) {
	s := m.find(key{r.Device, r.Field}, own, now)
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	point, hasPoint, err := s.add(r, now)
	if err != nil {
		m.log.Error("a value is missing in the quantiles of a series", "event", "sensor_sketch", "device", r.Device, "field", r.Field, "error", err)
	}
	m.metrics.took(point, r.Freshness)
	if hasPoint {
		m.outbox.add(point, s)
	}
	if r.Freshness == edgelens.FreshnessReplayed {
		return
	}
	m.points.send(s.id, point)
	for _, rule := range s.rules {
		m.insights.follow(s, rule, s.onPoint(rule, point), now)
	}
}

// find returns the series of a key, a new one where there is room; nil where there is none.
func (m *Monitor) find(k key, own bool, now clocks.Reading) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := m.sensors
	if own {
		in = m.own
	}
	if s := in.touch(k, now.Monotonic); s != nil {
		return s
	}
	gaveWay, ok := in.room(now.Monotonic)
	if !ok {
		m.drop(k, now)
		return nil
	}
	if gaveWay != nil {
		delete(m.byID, gaveWay.id)
		m.tally.GaveWay++
		m.metrics.gaveWay.Inc()
		m.log.Info("a silent series gave way to a new one", "event", "sensor_series_gave_way", "device", gaveWay.key.device, "field", gaveWay.key.field)
	}
	s, err := newSeries(k, own, &m.config, m.rules)
	if err != nil {
		m.log.Error("a series was not begun", "event", "sensor_series", "device", k.device, "field", k.field, "error", err)
		return nil
	}
	if m.tally.GaveWay > 0 { // it may be one that gave way: no number is used twice
		s.seq = m.metrics.taken.Load()
	}
	in.add(s, now.Monotonic)
	m.byID[s.id] = s
	m.resume(s, now)
	return s
}

// drop counts a reading of a series for which there is no room. mu is held.
func (m *Monitor) drop(k key, now clocks.Reading) {
	m.tally.Dropped++
	m.metrics.droppedLimit.Inc()
	if suppressed, ok := m.limited.Pass("\x00limit", now.Wall); ok {
		m.log.Warn("a new series was dropped: there are max_series already", "event", "sensor_series_limit", "max_series", m.config.MaxSeries, "device", k.device, "field", k.field, "suppressed", suppressed)
	}
}

// Connected notes whether the broker is reached: while it is not, no series is silent.
func (m *Monitor) Connected(online bool) {
	now := m.clock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.online = online
	m.connected = now.Monotonic
}

// Subscribe follows the points of series, buffering some for a slow reader. Errors:
// edgelens.ErrInvalid, edgelens.ErrNotFound, edgelens.ErrBusy, edgelens.ErrStopping.
func (m *Monitor) Subscribe(ids []string, buffer int) (*Subscription[edgelens.Point], error) {
	if len(ids) == 0 || len(ids) > maxFollowed {
		return nil, fmt.Errorf("subscribe to %d series, of 1 to %d: %w", len(ids), maxFollowed, edgelens.ErrInvalid)
	}
	for _, id := range ids {
		if m.lookup(id) == nil {
			return nil, fmt.Errorf("subscribe to the series %.40q: %w", id, edgelens.ErrNotFound)
		}
	}
	return m.Follow(ids, buffer)
}

// Follow is Subscribe for series that need not be here yet, such as those that the store knows from before a restart.
func (m *Monitor) Follow(ids []string, buffer int) (*Subscription[edgelens.Point], error) {
	return m.points.subscribe(slices.Clone(ids), buffer)
}

// SubscribeInsights follows the insights of all series.
func (m *Monitor) SubscribeInsights(buffer int) (*Subscription[edgelens.Insight], error) {
	return m.insights.listeners.subscribe([]string{""}, buffer)
}

// Run does the periodic work until ctx ends, then stores what it has, and ends the
// subscriptions.
func (m *Monitor) Run(ctx context.Context) error { return m.run(ctx) }
