//go:build cgo

package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

func removeFile(t *testing.T, path ...string) {
	t.Helper()
	must(t, os.Remove(filepath.Join(path...)))
}

func TestAcceptedJobSurvivesReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c=d#e%20")
	l := open(t, dir, quiet())
	image := image("a cat")
	spec := specOf(image)
	spec.NoCache, spec.IdempotencyKey, spec.Deadline = true, "k", long
	spec.View = edgelens.View{Fit: edgelens.FitSweep, Region: edgelens.Region{X: 0.1, Y: 1e-7, Width: 0.7, Height: 1.0 / 3}}
	job, existing, err := l.Jobs.Accept(t.Context(), spec, image)
	if err != nil || existing {
		t.Fatalf("existing %v, %v", existing, err)
	}
	closeLedger(t, l)
	l = open(t, dir, quiet())
	equal(t, "job", jobOf(t, l, job.ID), job)
	spec.Deadline = job.Deadline
	equal(t, "spec", job.JobSpec, spec)
	if d := job.Deadline.Sub(long).Abs(); d > time.Microsecond {
		t.Errorf("the deadline moved by %v", d)
	}
	got, err := l.Images.Image(t.Context(), job.ID)
	must(t, err)
	equal(t, "image", got, image)
}

func TestAcceptRejectsInvalidSpec(t *testing.T) {
	config := quiet()
	config.MaxBytes = 1 << 20
	dir := t.TempDir()
	l := open(t, dir, config)
	huge := make([]byte, 1<<20+1)
	for name, test := range map[string]struct {
		image []byte
		spoil func(*edgelens.JobSpec)
		want  error
	}{
		"no image":        {nil, func(*edgelens.JobSpec) {}, edgelens.ErrNoImage},
		"wrong size":      {image("x"), func(s *edgelens.JobSpec) { s.Bytes++ }, edgelens.ErrInvalid},
		"no digest":       {image("x"), func(s *edgelens.JobSpec) { s.SHA256 = "" }, edgelens.ErrInvalid},
		"digest not hex":  {image("x"), func(s *edgelens.JobSpec) { s.SHA256 = "zz" + s.SHA256[2:] }, edgelens.ErrInvalid},
		"no queue":        {image("x"), func(s *edgelens.JobSpec) { s.Queue = "" }, edgelens.ErrInvalid},
		"min score NaN":   {image("x"), func(s *edgelens.JobSpec) { s.MinScore = math.NaN() }, edgelens.ErrInvalid},
		"min score above": {image("x"), func(s *edgelens.JobSpec) { s.MinScore = 1.1 }, edgelens.ErrInvalid},
		"unknown fit":     {image("x"), func(s *edgelens.JobSpec) { s.View.Fit = "Center" }, edgelens.ErrInvalid},
		"region NaN":      {image("x"), func(s *edgelens.JobSpec) { s.View.Region.Width = math.NaN() }, edgelens.ErrInvalid},
		"region outside":  {image("x"), func(s *edgelens.JobSpec) { s.View.Region = edgelens.Region{X: 0.5, Width: 1e9, Height: 1} }, edgelens.ErrInvalid},
		"over max_bytes":  {huge, func(*edgelens.JobSpec) {}, edgelens.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			spec := specOf(test.image)
			test.spoil(&spec)
			if _, _, err := l.Jobs.Accept(t.Context(), spec, test.image); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			equal(t, "files left", len(filesIn(t, dir)), 0)
		})
	}
}

func TestIdempotencyKey(t *testing.T) {
	for name, test := range map[string]struct {
		again    func(*edgelens.JobSpec)
		image    string
		conflict bool
	}{
		"the same":          {func(*edgelens.JobSpec) {}, "a", false},
		"a later deadline":  {func(s *edgelens.JobSpec) { s.Deadline = after }, "a", false},
		"another trace":     {func(s *edgelens.JobSpec) { s.Trace = edgelens.NewTrace([16]byte{1}, [8]byte{1}, true) }, "a", false},
		"another image":     {func(*edgelens.JobSpec) {}, "b", true},
		"another model":     {func(s *edgelens.JobSpec) { s.Model = "n" }, "a", true},
		"another top_k":     {func(s *edgelens.JobSpec) { s.TopK++ }, "a", true},
		"another min_score": {func(s *edgelens.JobSpec) { s.MinScore /= 2 }, "a", true},
		"another fit":       {func(s *edgelens.JobSpec) { s.View.Fit = edgelens.FitPad }, "a", true},
		"another region":    {func(s *edgelens.JobSpec) { s.View.Region = edgelens.Region{Width: 0.5, Height: 1} }, "a", true},
		"without cache ":    {func(s *edgelens.JobSpec) { s.NoCache = true }, "a", true},
		"of another device": {func(s *edgelens.JobSpec) { s.Device = "gate" }, "a", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, quiet())
			first := specOf(image("a"))
			first.IdempotencyKey, first.Deadline = "k", long
			job, _, err := l.Jobs.Accept(t.Context(), first, image("a"))
			must(t, err)
			must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))

			spec := specOf(image(test.image))
			spec.IdempotencyKey, spec.Deadline = "k", long
			test.again(&spec)
			again, existing, err := l.Jobs.Accept(t.Context(), spec, image(test.image))
			if test.conflict {
				if !errors.Is(err, edgelens.ErrConflict) || existing {
					t.Errorf("existing %v, %v, want ErrConflict", existing, err)
				}
			} else {
				must(t, err)
				equal(t, "existing", existing, true)
				equal(t, "job", again, jobOf(t, l, job.ID))
			}
			stats, err := l.Stats(t.Context())
			must(t, err)
			equal(t, "queued", stats.Jobs[ledger.QueueStatus{Queue: edgelens.QueueInteractive, Status: edgelens.JobQueued}], int64(0))
			equal(t, "files left", len(filesIn(t, dir)), 0)
		})
	}
}

func TestRacingAcceptsWithOneKeyCreateOneJob(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	spec := specOf(image("a"))
	spec.IdempotencyKey = "k"
	var wg sync.WaitGroup
	ids := make([]string, 32)
	var mu sync.Mutex
	made := 0
	for i := range ids {
		wg.Go(func() {
			job, existing, err := l.Jobs.Accept(t.Context(), spec, image("a"))
			if err != nil {
				t.Error(err)
			}
			ids[i] = job.ID
			if !existing {
				mu.Lock()
				made++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	equal(t, "jobs created", made, 1)
	for _, id := range ids {
		equal(t, "id", id, ids[0])
	}
	equal(t, "files", filesIn(t, dir), map[string]bool{ids[0]: true})
}

func TestFullQueueIsBusy(t *testing.T) {
	for name, test := range map[string]struct {
		bound func(*ledger.Config)
		size  int
	}{
		"max_queued": {func(c *ledger.Config) { c.MaxQueued = 2 }, 10},
		"max_bytes":  {func(c *ledger.Config) { c.MaxBytes = 1 << 20 }, 500_000},
	} {
		t.Run(name, func(t *testing.T) {
			config := quiet()
			test.bound(&config)
			dir := t.TempDir()
			l := open(t, dir, config)
			acceptSized := func(name string) (edgelens.Job, error) {
				image := append(image(name), make([]byte, test.size)...)
				job, _, err := l.Jobs.Accept(t.Context(), specOf(image), image)
				return job, err
			}
			first, err := acceptSized("1")
			must(t, err)
			_, err = acceptSized("2")
			must(t, err)
			_, err = acceptSized("3")
			var busy *edgelens.Busy
			if !errors.As(err, &busy) {
				t.Fatalf("%v, want Busy", err)
			}
			if busy.RetryAfter < time.Second || busy.RetryAfter > time.Minute || busy.Reason == "" {
				t.Errorf("%+v", busy)
			}
			equal(t, "files", len(filesIn(t, dir)), 2)
			must(t, l.Jobs.Finish(t.Context(), first.ID, resultOf("cat", 0.5)))
			if _, err := acceptSized("3"); err != nil {
				t.Errorf("once there is room: %v", err)
			}
		})
	}
}

func TestConcurrentAcceptsRespectLimit(t *testing.T) {
	config := quiet()
	config.MaxQueued = 5
	dir := t.TempDir()
	l := open(t, dir, config)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			image := image(fmt.Sprint(i))
			if _, _, err := l.Jobs.Accept(t.Context(), specOf(image), image); err != nil && !errors.Is(err, edgelens.ErrBusy) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	equal(t, "files", len(filesIn(t, dir)), 5)
}

func TestAcceptWithCanceledContextWritesNothing(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := l.Jobs.Accept(ctx, specOf(image("a")), image("a")); !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("%v, want ErrCanceled", err)
	}
	equal(t, "files left", len(filesIn(t, dir)), 0)
}
