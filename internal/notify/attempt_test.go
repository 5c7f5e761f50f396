package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/notify"
	"edgelens/internal/testutil"
)

// tracer numbers the spans below the trace of a record, and keeps them.
type tracer struct {
	mu    sync.Mutex
	n     byte
	spans []edgelens.Span
}

func (t *tracer) Begin(parent edgelens.Trace) (edgelens.Trace, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	return parent.Of([8]byte{t.n}), true
}

func (t *tracer) Record(span edgelens.Span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spans = append(t.spans, span)
}

// A delivery has one line, with all of its attempts, and each attempt has a span, which the sink gets.
func TestDeliveryLineAndSpans(t *testing.T) {
	trace := edgelens.NewTrace([16]byte{1}, [8]byte{8}, true)
	var got []edgelens.Trace
	o, s := newOutbox(), &sink{name: "s", do: func(_ context.Context, d *edgelens.Delivery) error {
		got = append(got, d.Trace)
		switch {
		case d.Record.Key == "a" && len(got) == 1:
			d.Status = 503
			return errors.New("busy")
		case d.Record.Key == "a" && len(got) == 2:
			return errors.New("connection refused")
		case d.Record.Key == "b" && !d.Reduced:
			d.Status = 413
			return fmt.Errorf("the sink: %w", edgelens.ErrTooLarge)
		}
		d.Status = 200
		return nil
	}}
	o.add("s", "door", "a", "b")
	for i := range o.waiting["s door"] {
		o.waiting["s door"][i].Record.Trace = trace
	}
	log, traces := &testutil.LogBuffer{}, &tracer{}
	dispatcher, err := notify.New(o, quick(), traces, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	dispatcher.Start(s)
	testutil.Eventually(t, "all delivered", func() bool { return o.left() == 0 })
	dispatcher.Stop()
	var lines []string
	for line := range strings.Lines(log.String()) {
		if _, rest, found := strings.Cut(line, "msg=delivery "); found {
			before, after, _ := strings.Cut(rest, "ms=")
			_, after, _ = strings.Cut(after, " ") // its duration
			lines = append(lines, before+strings.TrimSpace(after))
		}
	}
	id := trace.ID()
	want := []string{
		"sink=s device=door record=a attempts=3 status=200 trace_id=" + id + " outcome=delivered",
		"sink=s device=door record=b attempts=1 status=200 trace_id=" + id + " outcome=reduced",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("lines\n%s\nwant\n%s\nin %s", strings.Join(lines, "\n"), strings.Join(want, "\n"), log)
	}
	var failures []string
	for i, span := range traces.spans {
		failures = append(failures, span.Failure)
		if span.Name != "delivery" || span.Parent != trace || span.Trace != got[i] || span.Trace.ID() != id {
			t.Errorf("span %+v, of the attempt %q", span, got[i])
		}
	}
	if text := strings.Join(failures, ","); text != "503,unreachable,,too_large," {
		t.Errorf("failures %s", text)
	}
}
