//go:build cgo

package ledger_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

func TestSweepRemovesOldRows(t *testing.T) {
	config := quiet()
	config.KeepImages = true
	dir := t.TempDir()
	now := time.Now()
	l := open(t, dir, config, steady(func() time.Time { return now }))
	old, oldWaiting := accept(t, l), accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), old.ID, resultOf("cat", 0.5)))
	_, err := l.Results.Record(t.Context(), edgelens.StoredResult{ID: "old", Result: resultOf("cat", 0.5)})
	must(t, err)
	now = now.Add(time.Hour)
	young := accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), young.ID, resultOf("dog", 0.5)))
	_, err = l.Results.Record(t.Context(), edgelens.StoredResult{ID: "young", Result: resultOf("cat", 0.5)})
	must(t, err)

	for range 2 { // the second finds nothing to do
		if _, err := l.Sweep(t.Context(), now.Add(config.MaxAge-time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Jobs.Job(t.Context(), old.ID); !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("the old job: %v, want ErrNotFound", err)
		}
		equal(t, "files", filesIn(t, dir), map[string]bool{oldWaiting.ID: true, young.ID: true})
		equal(t, "the old queued job", jobOf(t, l, oldWaiting.ID).Status, edgelens.JobQueued)
		page, _, err := l.Results.Results(t.Context(), edgelens.ResultFilter{})
		must(t, err)
		if len(page) != 2 || page[0].ID != "young" || page[1].JobID != young.ID {
			t.Errorf("results %+v", page)
		}
		for _, event := range allEvents(t, l) {
			if event.At.Before(now.Add(-time.Minute)) {
				t.Errorf("event %+v is still there", event)
			}
		}
		stats, err := l.Stats(t.Context())
		must(t, err)
		equal(t, "succeeded", stats.Jobs[ledger.QueueStatus{Queue: edgelens.QueueInteractive, Status: edgelens.JobSucceeded}], int64(1))
		equal(t, "image bytes", stats.ImageBytes, young.Bytes+oldWaiting.Bytes)
	}
}

func TestSweepRespectsMaxBytes(t *testing.T) {
	config := quiet()
	config.KeepImages = true
	config.MaxBytes = 3 << 20
	dir := t.TempDir()
	l := open(t, dir, config)
	acceptSized := func(i int) edgelens.Job {
		image := append(image(fmt.Sprint(i)), make([]byte, 100_000)...)
		job, _, err := l.Jobs.Accept(t.Context(), specOf(image), image)
		must(t, err)
		return job
	}
	waiting := acceptSized(-1) // the oldest, and not done
	var done []edgelens.Job
	for i := range 60 {
		job := acceptSized(i)
		must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
		done = append(done, job)
	}
	removed, err := l.Sweep(t.Context(), time.Now().Add(config.MinAge+time.Minute))
	must(t, err)
	files := filesIn(t, dir)
	if !files[waiting.ID] {
		t.Error("the image of a job that is not done was removed")
	}
	stats, err := l.Stats(t.Context())
	must(t, err)
	if stats.ImageBytes > config.MaxBytes || stats.ImageBytes < config.MaxBytes/2 {
		t.Errorf("%d bytes of images are left, of at most %d", stats.ImageBytes, config.MaxBytes)
	}
	for i, job := range done { // images take more than their share, and jobs do not
		if _, err := l.Jobs.Job(t.Context(), job.ID); err != nil || files[job.ID] != (i >= removed) {
			t.Errorf("job %d of the oldest, of which %d images were removed: %v, image: %v", i, removed, err, files[job.ID])
		}
	}
}

func TestSweepLimitsEventsAndFreesSpace(t *testing.T) {
	config := quiet()
	config.MaxEvents = 10
	l := open(t, t.TempDir(), config)
	result := resultOf("cat", 0.5)
	for range 500 {
		result.Predictions = append(result.Predictions, edgelens.Prediction{Label: "padding"})
	}
	for range 100 {
		must(t, l.Jobs.Finish(t.Context(), accept(t, l).ID, result))
	}
	all := allEvents(t, l)
	if _, err := l.Sweep(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	equal(t, "events", allEvents(t, l), all[len(all)-10:])

	before := databasePages(t, l)
	if _, err := l.Sweep(t.Context(), time.Now().Add(2*config.MaxAge)); err != nil {
		t.Fatal(err)
	}
	if now := databasePages(t, l); now > before/2 {
		t.Errorf("the database has %d pages, and had %d before its rows were removed", now, before)
	}
	equal(t, "events", len(allEvents(t, l)), 0)
	seq := all[len(all)-1].Seq
	accept(t, l)
	if first := allEvents(t, l)[0].Seq; first <= seq {
		t.Errorf("an event has seq %d after %d", first, seq)
	}
}

func TestLedgerSweepsPeriodically(t *testing.T) {
	config := quiet()
	config.SweepInterval = 100 * time.Millisecond
	l := open(t, t.TempDir(), config)
	id := accept(t, l, func(s *edgelens.JobSpec) { s.Deadline = time.Now() }).ID
	job, err := l.Jobs.Wait(t.Context(), id)
	must(t, err)
	equal(t, "status", job.Status, edgelens.JobExpired)
}

func databasePages(t *testing.T, l *ledger.Ledger) int {
	t.Helper()
	text, err := l.Pragma(t.Context(), "page_count")
	must(t, err)
	pages, err := strconv.Atoi(text)
	must(t, err)
	return pages
}
