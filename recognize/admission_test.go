package recognize_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/recognize"
)

// takes makes every image take this long.
func (b *bench) takes(d time.Duration) {
	b.preprocessor.work = func([]byte) error { time.Sleep(d); return nil }
}

// What can be answered in time is queued, however much that is, and what cannot is
// rejected at once.
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
		"fast images":                 {2, 10 * time.Millisecond, 0, 1998, 9990 * time.Millisecond},
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

func TestMetricsOfAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		release := b.hold()
		var waiting []<-chan answer
		for _, req := range []*edgelens.Request{image("at work"), image("waits"), bulk("waits behind"), bulk("and another")} {
			waiting = append(waiting, b.start(t.Context(), req))
			synctest.Wait()
		}
		families, err := b.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, family := range families {
			for _, m := range family.Metric {
				name := family.GetName()
				for _, label := range m.Label {
					name += " " + label.GetValue()
				}
				got[name] = m.GetGauge().GetValue()
			}
		}
		want := map[string]float64{
			"edgelens_recognitions_running": 1, "edgelens_recognitions_waiting device": 0, "edgelens_recognitions_waiting synchronous": 1,
			"edgelens_recognitions_waiting interactive": 0, "edgelens_recognitions_waiting bulk": 2,
		}
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		release()
		for _, done := range waiting {
			<-done
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

// Work that is queued becomes as urgent as its most urgent caller.
func TestUrgentCallerRaisesQueuedWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		b.takes(time.Second)
		first := b.start(t.Context(), image("at work"))
		synctest.Wait()
		var behind []<-chan answer
		for _, content := range []string{"x", "y", "cat"} {
			behind = append(behind, b.start(t.Context(), bulk(content)))
			synctest.Wait()
		}
		if a := <-b.start(t.Context(), image("cat")); a.err != nil || a.after != 2*time.Second {
			t.Errorf("%v after %v, want an answer after the one at work and its own", a.err, a.after)
		}
		<-first
		for _, done := range behind {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
		if n := b.preprocessor.calls.Load(); n != 4 {
			t.Errorf("computed %d times, want 4", n)
		}
	})
}

func TestNeverMoreThanSlotsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots, images = 4, 64
		b := newBench(recognize.Config{Slots: slots, Timeout: time.Minute}, 64, 128)
		b.takes(10 * time.Millisecond)
		var waiting []<-chan answer
		for i := range images {
			waiting = append(waiting, b.start(t.Context(), image(fmt.Sprint(i))))
		}
		for _, done := range waiting {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
		if most := b.preprocessor.most.Load(); most != slots {
			t.Errorf("%d at a time, want %d", most, slots)
		}
		if n := b.preprocessor.calls.Load(); n != images {
			t.Errorf("%d computed, want %d", n, images)
		}
	})
}

// order starts one request for each letter when the one before waits, and returns the
// letters in the order of their answers: d is a device's, s synchronous, i an interactive
// job, b bulk. Each takes a second.
func (b *bench) order(t *testing.T, letters string) string {
	t.Helper()
	b.takes(time.Second)
	priorities := map[rune]edgelens.Priority{
		'd': edgelens.PriorityDevice, 's': edgelens.PrioritySynchronous, 'i': edgelens.PriorityInteractive, 'b': edgelens.PriorityBulk,
	}
	answered := make(chan rune, len(letters))
	for n, letter := range letters {
		req := image(fmt.Sprint(n))
		req.Priority = priorities[letter]
		go func() {
			if _, err := b.Recognize(t.Context(), req); err != nil {
				t.Error(err)
			}
			answered <- letter
		}()
		synctest.Wait()
	}
	got := ""
	for range letters {
		got += string(<-answered)
	}
	return got
}

func TestPriorities(t *testing.T) {
	for name, test := range map[string]struct{ letters, want string }{
		"in order":               {"iii", "iii"},
		"bulk alone":             {"bbb", "bbb"},
		"interactive first":      {"ibbiii", "iiiibb"},
		"but bulk not starved":   {"i" + "bb" + strings.Repeat("i", 14), "iiiiiii" + "b" + "iiiiii" + "b" + "ii"},
		"door first":             {"sbisdd", "sddsib"},
		"nothing starves":        {"b" + "bis" + strings.Repeat("d", 13), "b" + "dddddd" + "s" + "i" + "b" + "ddddddd"},
		"synchronous, then jobs": {"sibsisb", "sssiibb"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := newBench(recognize.Config{Slots: 1, Timeout: 5 * time.Minute}, 64, 128).order(t, test.letters); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}

// A client that waits for longer than others does not keep them out.
func TestPatientClientsDoNotKeepOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		b.takes(time.Second)
		b.must(t, image("the one to learn from"))
		patient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var waiting []<-chan answer
		for i := range 40 {
			waiting = append(waiting, b.start(patient, image(fmt.Sprint("patient ", i))))
			synctest.Wait()
		}
		if a := <-b.start(t.Context(), image("another client")); a.err != nil || a.after > 3*time.Second {
			t.Errorf("%v after %v, want an answer soon", a.err, a.after)
		}
		for _, done := range waiting {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
	})
}

// A class that was idle has no claim from that time: who waits first goes first.
func TestIdleClassDoesNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		for i := range 9 {
			door := image(fmt.Sprint("door ", i))
			door.Priority = edgelens.PriorityDevice
			b.must(t, door)
		}
		if got := b.order(t, "dd"+"bis"); got != "dd"+"sib" {
			t.Errorf("got %s, want the door that waits first", got)
		}
	})
}

// A synchronous request beside a flood of device jobs has its share, and is not rejected for
// their number.
func TestSynchronousBesideAFloodOfDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 1, Timeout: 20 * time.Second}, 64, 128)
		b.takes(time.Second)
		b.must(t, image("the one to learn from"))
		jobs, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var waiting []<-chan answer
		for i := range 40 {
			door := image(fmt.Sprint("door ", i))
			door.Priority = edgelens.PriorityDevice
			waiting = append(waiting, b.start(jobs, door))
			synctest.Wait()
		}
		if a := <-b.start(t.Context(), image("another client")); a.err != nil || a.after > 8*time.Second {
			t.Errorf("%v after %v, want an answer after seven others", a.err, a.after)
		}
		for _, done := range waiting {
			<-done
		}
	})
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

// While other work arrives, bulk leaves a slot free; after a while it takes it.
func TestBulkLeavesASlotFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 2, Timeout: time.Minute}, 64, 128)
		b.must(t, image("a synchronous one"))
		b.takes(3 * time.Second)
		first := b.start(t.Context(), bulk("first"))
		synctest.Wait()
		second := b.start(t.Context(), bulk("second"))
		time.Sleep(500 * time.Millisecond)
		if n := b.preprocessor.inside.Load(); n != 1 {
			t.Errorf("%d at work, want one slot left free", n)
		}
		if a := <-first; a.err != nil || a.after != 3*time.Second {
			t.Errorf("the first: %v after %v", a.err, a.after)
		}
		if a := <-second; a.err != nil || a.after != 4*time.Second {
			t.Errorf("the second: %v after %v, want the slot after a second", a.err, a.after)
		}
	})
}

func TestSlotIsReleased(t *testing.T) {
	tests := map[string]struct {
		spoil func(b *bench)
		want  error
	}{
		"undecodable": {func(b *bench) {
			b.preprocessor.work = func([]byte) error { return fmt.Errorf("decode: %w", edgelens.ErrBadImage) }
		}, edgelens.ErrBadImage},
		"runner fails": {func(b *bench) {
			b.runner.work = func(context.Context) error { return fmt.Errorf("run: %w", edgelens.ErrInference) }
		}, edgelens.ErrInference},
		"runner stops": {func(b *bench) {
			b.runner.work = func(context.Context) error { return edgelens.ErrStopping }
		}, edgelens.ErrStopping},
		"preprocessor panics": {func(b *bench) {
			b.preprocessor.work = func([]byte) error { panic("boom") }
		}, edgelens.ErrInference},
		"preprocessor panics with nil": {func(b *bench) {
			b.preprocessor.work = func([]byte) error { panic(error(nil)) }
		}, edgelens.ErrInference},
		"cache panics": {func(b *bench) { b.cache.panics.Store(true) }, edgelens.ErrInference},
		"runner panics": {func(b *bench) {
			b.runner.work = func(context.Context) error { panic("boom") }
		}, edgelens.ErrInference},
		"short output": {func(b *bench) { b.runner.raw = nil }, edgelens.ErrInference},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(oneSlot(), 64, 128)
			spec, raw, work := b.runner.spec, b.runner.raw, b.runner.work
			test.spoil(b)
			for range 3 {
				r, err := b.Recognize(t.Context(), image("cat"))
				if edgelens.Code(err) != edgelens.Code(test.want) || r != nil {
					t.Fatalf("result %v, error %v, want %v", r, err, test.want)
				}
			}
			b.cache.panics.Store(false)
			b.preprocessor.work, b.runner.spec, b.runner.raw, b.runner.work = nil, spec, raw, work
			b.must(t, image("cat"))
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	config := recognize.Config{Slots: 1, Timeout: 2 * time.Second}
	tests := map[string]struct {
		prepare func(t *testing.T, b *bench) (cleanup func())
	}{
		"while waiting for a slot": {func(t *testing.T, b *bench) func() {
			release := b.hold()
			b.start(t.Context(), image("in front"))
			synctest.Wait()
			return release
		}},
		"while decoding": {func(_ *testing.T, b *bench) func() { return b.hold() }},
		"while an interpreter runs": {func(_ *testing.T, b *bench) func() {
			b.runner.work = func(ctx context.Context) error {
				<-ctx.Done()
				return fmt.Errorf("run: %w", edgelens.ErrDeadline)
			}
			return func() { b.runner.work = nil }
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(config, 64, 128)
				cleanup := test.prepare(t, b)
				a := <-b.start(t.Context(), image("cat"))
				if !errors.Is(a.err, edgelens.ErrDeadline) {
					t.Errorf("error %v, want ErrDeadline", a.err)
				}
				if a.after != config.Timeout {
					t.Errorf("after %v, want %v", a.after, config.Timeout)
				}
				synctest.Wait()
				cleanup()
				synctest.Wait()
				b.must(t, image("the slot is free again"))
			})
		})
	}
}

func TestCallersOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		release := b.hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := <-b.start(ctx, image("cat"))
		if !errors.Is(a.err, edgelens.ErrDeadline) || a.after != time.Second {
			t.Errorf("error %v after %v, want ErrDeadline after 1s", a.err, a.after)
		}
		release()
	})
}
