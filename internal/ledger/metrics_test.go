//go:build cgo

package ledger_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	dir := t.TempDir()
	l := open(t, dir, quiet(), func(p *ledger.Parts) { p.Registerer, p.Sinks = registry, []string{"event"} })
	zeros := map[string]float64{
		"edgelens_queue_depth interactive queued": 0, "edgelens_queue_depth interactive running": 0,
		"edgelens_queue_depth bulk queued": 0, "edgelens_queue_depth bulk running": 0,
		"edgelens_outbox_rows event": 0, "edgelens_outbox_bytes event": 0, "edgelens_outbox_set_aside event": 0, "edgelens_outbox_shed_total event": 0,
		"edgelens_queue_oldest_seconds interactive": 0, "edgelens_queue_oldest_seconds bulk": 0, "edgelens_outbox_oldest_seconds event": 0,
		"edgelens_records_without_image_total": 0,
		"edgelens_storage_problem ledger":      0, "edgelens_storage_problem images": 0, "edgelens_storage_problem space": 0,
	}
	for _, name := range []string{"stored_rows series", "stored_rows points", "stored_rows minutes", "stored_bytes", "points_left_out_total too_old", "points_left_out_total ahead"} {
		zeros["edgelens_sensor_"+name] = 0
	}
	for _, name := range []string{"examples", "example_bytes", "examples_refused_total max_examples", "examples_refused_total max_bytes"} {
		zeros["edgelens_"+name] = 0
	}
	for _, kind := range []string{"jobs", "results", "records", "events", "images", "ids"} {
		zeros["edgelens_ledger_removed_for_space_total "+kind] = 0
	}
	equal(t, "at first", testutil.Metrics(t, registry), zeros)

	start(t, l, accept(t, l).ID)
	accept(t, l, func(s *edgelens.JobSpec) { s.Queue = edgelens.QueueBulk })
	must(t, l.Jobs.Fail(t.Context(), accept(t, l).ID, edgelens.JobError{Code: "bad_image"}))
	receive(t, l, reception("door", 1, withoutImage))
	receive(t, l, reception("door", 2, withoutImage))
	must(t, l.Outbox.SetAside(t.Context(), outbox(t, l, "hook", "door")[0].Seq, "It is too large."))
	breakImages(t, dir)
	receive(t, l, reception("door", 3))
	got := testutil.Metrics(t, registry)
	for name, want := range map[string]float64{
		"edgelens_queue_depth interactive queued": 0, "edgelens_queue_depth interactive running": 1, "edgelens_queue_depth bulk queued": 1,
		"edgelens_outbox_rows event": 3, "edgelens_outbox_set_aside event": 0, "edgelens_outbox_rows hook": 3, "edgelens_outbox_set_aside hook": 1,
		"edgelens_records_without_image_total": 1, "edgelens_storage_problem ledger": 0, "edgelens_storage_problem images": 1,
	} {
		equal(t, name, got[name], want)
	}
	if got["edgelens_outbox_bytes event"] <= 0 {
		t.Errorf("metrics %v", got)
	}
}

// What waits for an operator, or runs, has no age.
func TestAgesOfWhatWaits(t *testing.T) {
	registry := prometheus.NewRegistry()
	var passed atomic.Int64
	clock := func() time.Time { return noon.Add(time.Duration(passed.Load())) }
	l := open(t, t.TempDir(), quiet(), steady(clock), func(p *ledger.Parts) { p.Registerer, p.Sinks = registry, []string{"event"} })
	now := func(r *edgelens.Reception) { r.Record.ReceivedAt = clock() }
	start(t, l, accept(t, l).ID)
	receive(t, l, reception("door", 1, withoutImage, now))
	must(t, l.Outbox.SetAside(t.Context(), outbox(t, l, "event", "door")[0].Seq, "It is too large."))
	passed.Add(int64(time.Minute))
	accept(t, l, func(s *edgelens.JobSpec) { s.Queue = edgelens.QueueBulk })
	receive(t, l, reception("door", 2, withoutImage, now))
	passed.Add(int64(10 * time.Minute))
	got := testutil.Metrics(t, registry)
	for name, want := range map[string]float64{
		"edgelens_queue_oldest_seconds interactive": 0, "edgelens_queue_oldest_seconds bulk": 600, "edgelens_outbox_oldest_seconds event": 600,
	} {
		equal(t, name, got[name], want)
	}
}
