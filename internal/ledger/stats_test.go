//go:build cgo

package ledger_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"edgelens"
	"edgelens/internal/ledger"
)

func TestStatsCountEveryQueue(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	bulk := func(spec *edgelens.JobSpec) { spec.Queue = edgelens.QueueBulk }
	accept(t, l)
	first, second := accept(t, l, bulk), accept(t, l, bulk)
	_, _, err := l.Jobs.Start(t.Context(), first.ID)
	must(t, err)
	_, err = l.Jobs.Cancel(t.Context(), second.ID)
	must(t, err)
	stats, err := l.Stats(t.Context())
	must(t, err)
	got := map[ledger.QueueStatus]int64{}
	for of, jobs := range stats.Jobs {
		if jobs != 0 {
			got[of] = jobs
		}
	}
	want := map[ledger.QueueStatus]int64{
		{Queue: edgelens.QueueInteractive, Status: edgelens.JobQueued}: 1,
		{Queue: edgelens.QueueBulk, Status: edgelens.JobRunning}:       1,
		{Queue: edgelens.QueueBulk, Status: edgelens.JobCanceled}:      1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A database of an earlier version keeps its jobs and has correct counts.
func TestOldDatabaseIsMigrated(t *testing.T) {
	dir := t.TempDir()
	old, err := ledger.OpenAtVersion(t.Context(), dir, 1)
	must(t, err)
	for id, row := range map[string]struct {
		queue, status string
		finished      any
	}{
		"a": {edgelens.QueueInteractive, "succeeded", 5},
		"b": {edgelens.QueueBulk, "canceled", 6},
		"c": {edgelens.QueueBulk, "failed", 7},
	} {
		_, err := old.ExecContext(t.Context(), `INSERT INTO jobs
			(id, face, device, queue, model, top_k, min_score, no_cache, sha256, bytes, status, created_at, finished_at, picture)
			VALUES (?, 'http', '', ?, '', 3, 0, 0, '', 100, ?, 1, ?, 1)`, id, row.queue, row.status, row.finished)
		must(t, err)
	}
	must(t, old.Close())

	config := quiet()
	config.KeepImages = true
	l := open(t, dir, config)
	stats, err := l.Stats(t.Context())
	must(t, err)
	want := map[ledger.QueueStatus]int64{
		{Queue: edgelens.QueueInteractive, Status: edgelens.JobSucceeded}: 1,
		{Queue: edgelens.QueueBulk, Status: edgelens.JobCanceled}:         1,
		{Queue: edgelens.QueueBulk, Status: edgelens.JobFailed}:           1,
	}
	if !reflect.DeepEqual(stats.Jobs, want) {
		t.Errorf("%v, want %v", stats.Jobs, want)
	}
	equal(t, "image bytes", stats.ImageBytes, int64(300))
	if _, err := l.Jobs.Cancel(context.Background(), "a"); !errors.Is(err, edgelens.ErrFinished) {
		t.Errorf("a job that was done: %v, want edgelens.ErrFinished", err)
	}
}
