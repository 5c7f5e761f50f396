//go:build cgo

package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"edgelens"
)

func TestWaitReturnsWhenTheJobIsDone(t *testing.T) {
	for name, end := range map[string]string{"finished": "finish", "failed": "fail", "canceled": "cancel", "expired": "expire"} {
		t.Run(name, func(t *testing.T) {
			l := open(t, t.TempDir(), quiet())
			id := accept(t, l, func(s *edgelens.JobSpec) { s.Deadline = long }).ID
			var wg sync.WaitGroup
			for range 2000 {
				wg.Go(func() {
					job, err := l.Jobs.Wait(t.Context(), id)
					if err != nil || !job.Status.Terminal() {
						t.Errorf("%s, %v", job.Status, err)
					}
				})
			}
			must(t, moves[end](t, l, id))
			wg.Wait()
			job, err := l.Jobs.Wait(t.Context(), id)
			must(t, err)
			equal(t, "status for a late caller", job.Status, leadsTo[end])
		})
	}
}

func TestWaitWakesWhenAStartEndsTheJob(t *testing.T) {
	l := open(t, t.TempDir(), quiet(), aMinuteLater)
	id := accept(t, l).ID
	woken := make(chan edgelens.Job)
	go func() {
		job, _ := l.Jobs.Wait(t.Context(), id)
		woken <- job
	}()
	start(t, l, id)
	start(t, l, id)
	if _, _, err := l.Jobs.Start(t.Context(), id); !errors.Is(err, edgelens.ErrFinished) {
		t.Fatal(err)
	}
	equal(t, "status", (<-woken).Status, edgelens.JobFailed)
}

func TestWaitReturnsStateAtTimeout(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	id := accept(t, l).ID
	start(t, l, id)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	job, err := l.Jobs.Wait(ctx, id)
	must(t, err)
	equal(t, "status", job.Status, edgelens.JobRunning)
	if _, err := l.Jobs.Wait(t.Context(), "unknown"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("unknown: %v, want ErrNotFound", err)
	}
}

func TestSubscriberMissesNoEvent(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	const jobs = 50
	wake, cancel := l.Events.Subscribe()
	done := make(chan []edgelens.Event)
	go func() {
		defer close(done)
		var seen []edgelens.Event
		for {
			var after int64
			if len(seen) > 0 {
				after = seen[len(seen)-1].Seq
			}
			events, err := l.Events.Events(t.Context(), after, 7)
			if err != nil {
				t.Error(err)
				return
			}
			seen = append(seen, events...)
			if len(seen) == 3*jobs {
				done <- seen
				return
			}
			if len(events) == 0 {
				<-wake
			}
		}
	}()
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			id := accept(t, l).ID
			start(t, l, id)
			if _, err := l.Jobs.Cancel(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	equal(t, "events seen", <-done, allEvents(t, l))
	cancel()
	cancel()
	for len(wake) > 0 {
		<-wake
	}
	accept(t, l)
	equal(t, "tokens after cancel", len(wake), 0)
}
