package telemetry

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/backoff"
	"edgelens/internal/loglimit"
)

const (
	// maxSpans is how many spans may wait to be sent: those of some 200 recognitions.
	maxSpans = 2048
	// batchSize is how many are sent at a time, and batchTime how long the first one waits for others.
	batchSize = 512
	batchTime = time.Second
	// sendTimeout bounds one try to send a batch, and sendTries is how often it is tried.
	sendTimeout = 10 * time.Second
	sendTries   = 4
	// flushTimeout is how long Close sends what waits.
	flushTimeout = 2 * time.Second
)

// Traces is an edgelens.Tracer that sends spans to a collector, by OTLP over HTTP. What the collector does not take in time is
// dropped, and counted: no caller waits for it. It is safe for use by many goroutines.
type Traces struct {
	sender *sender
	log    *slog.Logger
	// sampled is the share of the traces that begin here which are recorded, in 2^63.
	sampled uint64
	queue   chan edgelens.Span
	spans   *prometheus.CounterVec
	limiter loglimit.Limiter

	// closing is closed when Close is called; ctx ends when what is left is abandoned.
	closing chan struct{}
	close   func()
	ctx     context.Context
	abandon context.CancelFunc
	sending sync.WaitGroup
}

// The values of the label outcome of edgelens_trace_spans_total.
const (
	spansSent    = "sent"
	spansDropped = "dropped"
	spansRefused = "refused"
)

// Service describes this process to the collector.
type Service struct {
	// Version is the program's, Node the node's permanent name; empty where it has none.
	Version, Node string
}

// NewTraces returns a Traces that sends until Close. config must be valid, and have an endpoint.
func NewTraces(config TracesConfig, service Service, log *slog.Logger, metrics prometheus.Registerer) (*Traces, error) {
	sender, err := newSender(config, service)
	if err != nil {
		return nil, err
	}
	t := &Traces{
		sender: sender, log: log, sampled: uint64(config.Sample * math.MaxInt64), queue: make(chan edgelens.Span, maxSpans),
		spans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_trace_spans_total",
			Help: "Spans of traces (telemetry.traces.endpoint): sent to the collector, dropped because too many waited to be sent, or refused by a collector that is down or does not accept them.",
		}, []string{"outcome"}),
		closing: make(chan struct{}),
	}
	for _, outcome := range []string{spansSent, spansDropped, spansRefused} {
		t.spans.WithLabelValues(outcome)
	}
	if err := metrics.Register(t.spans); err != nil {
		return nil, err
	}
	t.close = sync.OnceFunc(func() { close(t.closing) })
	t.ctx, t.abandon = context.WithCancel(context.Background())
	t.sending.Go(t.run)
	return t, nil
}

// Begin implements edgelens.Tracer.
func (t *Traces) Begin(parent edgelens.Trace) (span edgelens.Trace, recorded bool) {
	switch {
	case parent == "":
		return t.newTrace()
	case !parent.Sampled():
		return parent, false
	}
	return parent.Of(newSpanID()), true
}

// newTrace returns the first span of a trace. Whether it is recorded depends on its id alone, as OpenTelemetry's
// TraceIdRatioBased sampler has it.
func (t *Traces) newTrace() (span edgelens.Trace, recorded bool) {
	var id [16]byte
	low := nonZero()
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], low)
	recorded = low>>1 < t.sampled || t.sampled >= math.MaxInt64
	return edgelens.NewTrace(id, newSpanID(), recorded), recorded
}

func newSpanID() (id [8]byte) {
	binary.BigEndian.PutUint64(id[:], nonZero())
	return id
}

func nonZero() uint64 {
	for {
		if n := rand.Uint64(); n != 0 {
			return n
		}
	}
}

// Record implements edgelens.Tracer.
func (t *Traces) Record(span edgelens.Span) {
	select {
	case <-t.closing:
	case t.queue <- span:
		return
	default:
	}
	t.spans.WithLabelValues(spansDropped).Inc()
}

// Close sends what waits, for at most two seconds or until ctx ends, and drops the rest.
func (t *Traces) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, t.abandon)()
	t.close()
	t.sending.Wait()
	t.abandon()
	t.sender.client.CloseIdleConnections()
}

// run sends batches until Close, and then what is left.
func (t *Traces) run() {
	for {
		batch := t.gather()
		if len(batch) == 0 {
			return
		}
		t.send(batch)
	}
}

// gather waits for a span, and for those that come soon after it. It returns none once Close was called and all were
// returned.
func (t *Traces) gather() []edgelens.Span {
	var batch []edgelens.Span
	select {
	case first := <-t.queue:
		batch = append(batch, first)
	case <-t.closing:
	}
	timer := time.NewTimer(batchTime)
	defer timer.Stop()
	closing := t.closing
	for len(batch) < batchSize {
		select {
		case next := <-t.queue:
			batch = append(batch, next)
			continue
		case <-timer.C:
			return batch
		case <-closing:
		}
		select { // closing: what is there, and no more
		case next := <-t.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// send sends a batch, and tries again while the collector is down, until Close.
func (t *Traces) send(batch []edgelens.Span) {
	var err error
	for try := 1; ; try++ {
		var rejected int
		if rejected, err = t.try(batch); err == nil {
			t.spans.WithLabelValues(spansSent).Add(float64(len(batch) - rejected))
			t.spans.WithLabelValues(spansRefused).Add(float64(rejected))
			return
		}
		if try == sendTries || !mayPass(err) || !t.pause(backoff.After(try, time.Second, 8*time.Second)) {
			break
		}
	}
	t.spans.WithLabelValues(spansRefused).Add(float64(len(batch)))
	if suppressed, ok := t.limiter.Pass("", time.Now()); ok {
		t.log.Warn("sending traces failed, their spans are lost", "event", "traces_lost", "spans", len(batch), "suppressed", suppressed, "error", err)
	}
}

func (t *Traces) try(batch []edgelens.Span) (rejected int, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, sendTimeout)
	defer cancel()
	return t.sender.send(ctx, batch)
}

// pause waits, and reports whether it was not ended by Close.
func (t *Traces) pause(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.closing:
		return false
	}
}
