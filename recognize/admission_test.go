package recognize_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/recognize"
)

// takes makes every image take this long.
func (b *bench) takes(d time.Duration) {
	b.preprocessor.work = func([]byte) error { time.Sleep(d); return nil }
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
		got := testutil.Metrics(t, b.metrics)
		want := map[string]float64{
			"edgelens_recognitions_running": 1, "edgelens_recognitions_waiting device": 0, "edgelens_recognitions_waiting synchronous": 1,
			"edgelens_recognitions_waiting interactive": 0, "edgelens_recognitions_waiting bulk": 2,
			"edgelens_decode_memory_bytes": float64(len("at work")),
		}
		for _, reason := range []string{"late", "full", "crowded", "expired", "stopping"} {
			want["edgelens_recognitions_refused_total "+reason] = 0
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
