package telemetry_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/telemetry"
)

type sleeper struct{ took time.Duration }

func (s sleeper) Recognize(context.Context, *edgelens.Request) (*edgelens.Result, error) {
	time.Sleep(s.took)
	return &edgelens.Result{}, nil
}

// The latency is of the recognitions since a time, and unknown without one.
func TestLatency(t *testing.T) {
	r := telemetry.NewRecognizer(sleeper{5 * time.Millisecond}, edgelens.Untraced{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), func(string) bool { return true }, func() string { return "m" })
	if _, ok := r.Latency(time.Time{}); ok {
		t.Error("a latency of nothing")
	}
	for range 3 {
		if _, err := r.Recognize(t.Context(), &edgelens.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	if p95, ok := r.Latency(time.Now().Add(-time.Minute)); !ok || p95 < 5*time.Millisecond || p95 > 5*time.Second {
		t.Errorf("%v, %v", p95, ok)
	}
	if p95, ok := r.Latency(time.Now()); ok {
		t.Errorf("%v of nothing since now", p95)
	}
}
