package recognize_test

import (
	"context"
	"errors"
	"fmt"
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

func TestFullIsBusyAtOnce(t *testing.T) {
	tests := map[string]struct{ workers, queue int }{
		"one worker, no queue":     {1, 0},
		"one worker, one waiting":  {1, 1},
		"four workers, no queue":   {4, 0},
		"four workers, four queue": {4, 4},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(recognize.Config{Workers: test.workers, Queue: test.queue, Timeout: 10 * time.Second}, 64, 128)
				b.takes(time.Second)
				b.must(t, image("the one to learn from"))
				var waiting []<-chan answer
				for i := range test.workers + test.queue {
					waiting = append(waiting, b.start(t.Context(), image(fmt.Sprint("fits ", i))))
				}
				synctest.Wait()
				a := <-b.start(t.Context(), image("one too many"))
				var busy *edgelens.Busy
				if !errors.As(a.err, &busy) || !errors.Is(a.err, edgelens.ErrBusy) {
					t.Fatalf("error %v, want an *edgelens.Busy", a.err)
				}
				if a.after != 0 {
					t.Errorf("it took %v, want at once", a.after)
				}
				if busy.RetryAfter <= 0 || busy.RetryAfter > 5*time.Second || busy.Reason == "" {
					t.Errorf("retry after %v (%q), want a few times the second that an image takes", busy.RetryAfter, busy.Reason)
				}
				for _, done := range waiting {
					if a := <-done; a.err != nil {
						t.Errorf("one that fits: %v", a.err)
					}
				}
				b.must(t, image("room again"))
			})
		})
	}
}

func TestTooLongWaitIsBusyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Workers: 1, Queue: 4, Timeout: 5 * time.Second}, 64, 128)
		b.takes(2 * time.Second)
		b.must(t, image("the one to learn from"))
		var waiting []<-chan answer
		for i := range 3 { // one at work; two in the queue, for 2 s and 4 s
			waiting = append(waiting, b.start(t.Context(), image(fmt.Sprint(i))))
			synctest.Wait()
		}
		a := <-b.start(t.Context(), image("would wait for 6 s"))
		var busy *edgelens.Busy
		if !errors.As(a.err, &busy) || a.after != 0 {
			t.Fatalf("error %v after %v, want an *edgelens.Busy at once", a.err, a.after)
		}
		if busy.RetryAfter != 6*time.Second {
			t.Errorf("retry after %v, want the predicted 6s", busy.RetryAfter)
		}
		for _, done := range waiting {
			<-done
		}
		b.must(t, image("room again"))
	})
}

func TestNeverMoreThanWorkersAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers, images = 4, 64
		b := newBench(recognize.Config{Workers: workers, Queue: images, Timeout: time.Minute}, 64, 128)
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
		if most := b.preprocessor.most.Load(); most != workers {
			t.Errorf("%d at a time, want %d", most, workers)
		}
		if n := b.preprocessor.calls.Load(); n != images {
			t.Errorf("%d computed, want %d", n, images)
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
		"runner panics": {func(b *bench) {
			b.runner.work = func(context.Context) error { panic("boom") }
		}, edgelens.ErrInference},
		"short output": {func(b *bench) { b.runner.raw = nil }, edgelens.ErrInference},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(recognize.Config{Workers: 1, Queue: 0, Timeout: 10 * time.Second}, 64, 128)
			good := *b.runner
			test.spoil(b)
			for range 3 {
				r, err := b.Recognize(t.Context(), image("cat"))
				if edgelens.Code(err) != edgelens.Code(test.want) || r != nil {
					t.Fatalf("result %v, error %v, want %v", r, err, test.want)
				}
			}
			b.preprocessor.work, *b.runner = nil, good
			b.must(t, image("cat"))
			if err := b.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	config := recognize.Config{Workers: 1, Queue: 1, Timeout: 2 * time.Second}
	tests := map[string]struct {
		prepare func(t *testing.T, b *bench) (cleanup func())
	}{
		"while waiting for a worker": {func(t *testing.T, b *bench) func() {
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
		b := newBench(oneWorker(), 64, 128)
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
