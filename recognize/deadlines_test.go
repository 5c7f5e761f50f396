package recognize_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/recognize"
)

// What can be answered in time is queued, up to 256, and what cannot is rejected at once.
func TestTooLongWaitIsBusyAtOnce(t *testing.T) {
	tests := map[string]struct {
		slots int
		takes time.Duration
		// wait is the caller's own deadline; 0 for the timeout of 10 s.
		wait time.Duration
		// fit is how many are answered, those at work included.
		fit        int
		retryAfter time.Duration
	}{
		"one slot":                    {1, 2 * time.Second, 0, 4, 8 * time.Second},
		"four slots":                  {4, time.Second, 0, 36, 9 * time.Second},
		"fast images":                 {2, 10 * time.Millisecond, 0, 2 + 256, 1290 * time.Millisecond},
		"a client that waits shortly": {1, time.Second, 3 * time.Second, 2, 2 * time.Second},
		"a client that waits long":    {1, time.Second, 30 * time.Second, 29, 29 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(recognize.Config{Slots: test.slots, Timeout: 10 * time.Second}, 64, 128)
				b.takes(test.takes)
				b.must(t, image("the one to learn from"))
				ctx := t.Context()
				if test.wait > 0 {
					limited, cancel := context.WithTimeout(ctx, test.wait)
					defer cancel()
					ctx = limited
				}
				var waiting []<-chan answer
				for i := range test.fit {
					waiting = append(waiting, b.start(ctx, image(fmt.Sprint("fits ", i))))
					synctest.Wait()
				}
				a := <-b.start(ctx, image("one too many"))
				var busy *edgelens.Busy
				if !errors.As(a.err, &busy) || !errors.Is(a.err, edgelens.ErrBusy) || a.after != 0 {
					t.Fatalf("error %v after %v, want an *edgelens.Busy at once", a.err, a.after)
				}
				if busy.RetryAfter != test.retryAfter || busy.Reason == "" {
					t.Errorf("retry after %v (%q), want the predicted wait of %v", busy.RetryAfter, busy.Reason, test.retryAfter)
				}
				for i, done := range waiting {
					if a := <-done; a.err != nil {
						t.Errorf("number %d, which fits: %v after %v", i, a.err, a.after)
					}
				}
				b.must(t, image("room again"))
			})
		})
	}
}

// A sweep takes several times as long as another fit, and what one takes says nothing about the other.
func TestSweepsArePredictedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 1, Timeout: 10 * time.Second}, 64, 128)
		sweep := func(name string) *edgelens.Request {
			req := image(name)
			req.View.Fit = edgelens.FitSweep
			return req
		}
		b.takes(100 * time.Millisecond)
		b.must(t, image("a center"))
		b.takes(2 * time.Second)
		b.must(t, sweep("a sweep"))
		b.takes(100 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first := b.start(ctx, image("at work"))
		synctest.Wait()
		second := b.start(ctx, image("in time"))
		synctest.Wait()
		if a := <-b.start(ctx, sweep("too late")); !errors.Is(a.err, edgelens.ErrBusy) || a.after != 0 {
			t.Errorf("a sweep that takes longer than its caller waits: %v after %v", a.err, a.after)
		}
		for _, answers := range []<-chan answer{first, second} {
			if a := <-answers; a.err != nil {
				t.Errorf("a center after a sweep: %v after %v", a.err, a.after)
			}
		}
	})
}

// A caller who gives up while it is queued takes no slot.
func TestAbandonedWorkIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		release := b.hold()
		first := b.start(t.Context(), image("at work"))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		var gone []<-chan answer
		for range 3 { // one flight
			gone = append(gone, b.start(ctx, image("not wanted any more")))
		}
		stays := b.start(t.Context(), image("wanted"))
		synctest.Wait()
		cancel()
		for _, done := range gone {
			if a := <-done; !errors.Is(a.err, edgelens.ErrCanceled) {
				t.Errorf("who left got %v, want ErrCanceled", a.err)
			}
		}
		release()
		for _, done := range []<-chan answer{first, stays} {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
		if n := b.preprocessor.calls.Load(); n != 2 {
			t.Errorf("computed %d times, want the two that were wanted", n)
		}
	})
}

// A prediction that was wrong must not reject everything from then on.
func TestWrongPredictionIsCorrected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		b.takes(8 * time.Second)
		b.must(t, image("slow, the first time"))
		b.takes(time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if a := <-b.start(ctx, image("cat")); a.err != nil {
			t.Errorf("with a free slot: %v", a.err)
		}
	})
}

// Work that got slower than predicted does not delay what is behind it until all of it is
// late.
func TestLateWorkIsNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		var pace atomic.Int64
		pace.Store(int64(time.Second))
		b.preprocessor.work = func([]byte) error { time.Sleep(time.Duration(pace.Load())); return nil }
		b.must(t, image("the one to learn from"))
		var waiting []<-chan answer
		for i := range 10 {
			waiting = append(waiting, b.start(t.Context(), image(fmt.Sprint(i))))
			synctest.Wait()
		}
		pace.Store(int64(4 * time.Second))
		outcomes := map[string]int{}
		for _, done := range waiting {
			a := <-done
			outcomes[edgelens.Code(a.err)]++
			if a.after > 10*time.Second {
				t.Errorf("an answer after %v", a.after)
			}
		}
		// One had begun; two more end within 10 s; one begins, though the slower pace is
		// not fully learnt; the others are not begun.
		if n := b.preprocessor.calls.Load(); outcomes["ok"] < 3 || n > 1+4 {
			t.Errorf("%v, %d begun", outcomes, n)
		}
	})
}

// A job waits until its own deadline, is not rejected for a prediction, and is not to
// blame where it never began.
func TestJobWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		b.takes(8 * time.Second)
		b.must(t, image("the one to learn from"))
		first := b.start(t.Context(), image("at work"))
		synctest.Wait()
		patient, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		hasty, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		job, late := image("job"), image("late job")
		job.Priority, late.Priority = edgelens.PriorityInteractive, edgelens.PriorityInteractive
		waits, gives := b.start(patient, job), b.start(hasty, late)
		if a := <-gives; !errors.Is(a.err, edgelens.ErrBusy) || a.after != 5*time.Second {
			t.Errorf("a job without a slot: %v after %v, want ErrBusy after 5s", a.err, a.after)
		}
		if a := <-waits; a.err != nil || a.after != 16*time.Second {
			t.Errorf("a patient job: %v after %v, want an answer after 16s", a.err, a.after)
		}
		<-first
	})
}

// A job is not to blame where it was turned away at the very moment when its time ended.
func TestJobWithoutSlotIsNotToBlame(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(oneSlot(), 64, 128)
			b.takes(time.Second)
			b.must(t, image("the one to learn from"))
			first := b.start(t.Context(), image("at work"))
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // as long as the first
			defer cancel()
			job := image("job")
			job.Priority = edgelens.PriorityInteractive
			if a := <-b.start(ctx, job); !errors.Is(a.err, edgelens.ErrBusy) {
				t.Errorf("%v, want ErrBusy", a.err)
			}
			<-first
		})
	}
}

// Clients that give up without a word are taken into account: others are rejected in time,
// and answered where it is worth it.
func TestImpatientClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		b.takes(100 * time.Millisecond)
		b.must(t, image("the one to learn from"))
		outcomes := map[string]int{}
		var mu sync.Mutex
		var clients sync.WaitGroup
		end := time.Now().Add(30 * time.Second)
		for client := range 40 {
			clients.Go(func() {
				for n := 0; time.Now().Before(end); n++ {
					ctx, cancel := context.WithCancel(t.Context())
					giveUp := time.AfterFunc(time.Second, cancel)
					a := <-b.start(ctx, image(fmt.Sprint(client, " ", n)))
					giveUp.Stop()
					cancel()
					mu.Lock()
					outcomes[edgelens.Code(a.err)]++
					mu.Unlock()
					if a.err != nil {
						time.Sleep(time.Second) // Retry-After
					}
				}
			})
		}
		clients.Wait()
		if outcomes["ok"] < 200 {
			t.Errorf("%v, want most of the 300 that can be answered in 30 s", outcomes)
		}
	})
}

// A call that has ended before it began starts no work.
func TestEndedCallStartsNothing(t *testing.T) {
	b := newBench(oneSlot(), 64, 128)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Recognize(ctx, image("cat")); !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("canceled: %v", err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
	defer cancel()
	if _, err := b.Recognize(ctx, image("cat")); !errors.Is(err, edgelens.ErrDeadline) {
		t.Errorf("too late: %v", err)
	}
	if n := b.preprocessor.calls.Load(); n != 0 {
		t.Errorf("%d computed", n)
	}
}

// What waits when the service stops is answered if there is time, and turned away if not.
func TestStopWithWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 1, Timeout: 50 * time.Second}, 64, 128)
		b.takes(time.Second)
		b.must(t, image("the one to learn from"))
		var waiting []<-chan answer
		for i := range 30 {
			waiting = append(waiting, b.start(t.Context(), image(fmt.Sprint(i))))
			synctest.Wait()
		}
		job := b.start(t.Context(), bulk("a job"))
		synctest.Wait()
		b.Stop(time.Now().Add(7 * time.Second))
		if a := <-job; !errors.Is(a.err, edgelens.ErrStopping) {
			t.Errorf("a job that waited: %v, want ErrStopping", a.err)
		}
		if a := <-b.start(t.Context(), image("new")); !errors.Is(a.err, edgelens.ErrStopping) {
			t.Errorf("new work: %v, want ErrStopping", a.err)
		}
		outcomes := map[string]int{}
		for _, done := range waiting {
			a := <-done
			outcomes[edgelens.Code(a.err)]++
		}
		if outcomes["ok"] < 5 || outcomes["ok"] > 7 || outcomes["ok"]+outcomes[edgelens.Code(edgelens.ErrStopping)] != 30 {
			t.Errorf("%v, want those answered that fit into 7 s", outcomes)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
