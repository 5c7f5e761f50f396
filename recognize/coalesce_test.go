package recognize_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"edgelens"
	"edgelens/recognize"
)

// hold makes the preprocessor wait until the returned function is called.
func (b *bench) hold() (release func()) {
	gate := make(chan struct{})
	b.preprocessor.work = func([]byte) error { <-gate; return nil }
	return func() { close(gate) }
}

func TestIdenticalRequestsAreComputedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		release := b.hold()
		var waiting []<-chan answer
		for range 20 {
			waiting = append(waiting, b.start(t.Context(), image("cat")))
		}
		synctest.Wait()
		release()
		for i, done := range waiting {
			a := <-done
			if a.err != nil {
				t.Fatal(a.err)
			}
			if p := a.result.Predictions; len(p) != 2 || p[0].Label != "one" {
				t.Fatalf("waiter %d got %v", i, p)
			}
			a.result.Predictions[0].Label = "damaged" // must not reach the next waiter
		}
		if n := b.preprocessor.calls.Load(); n != 1 {
			t.Errorf("computed %d times, want once", n)
		}
	})
}

func TestWaitersCancelIndependently(t *testing.T) {
	tests := map[string]struct{ leaves []int }{
		"no waiter":      {nil},
		"the first":      {[]int{0}},
		"a follower":     {[]int{2}},
		"all but one":    {[]int{0, 1, 3}},
		"every last one": {[]int{0, 1, 2, 3}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(oneSlot(), 64, 128)
				release := b.hold()
				var waiting [4]<-chan answer
				var cancels [4]context.CancelFunc
				for i := range waiting {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					cancels[i] = cancel
					waiting[i] = b.start(ctx, image("cat"))
					synctest.Wait() // so that the first is the one that computes
				}
				for _, i := range test.leaves {
					cancels[i]()
					if a := <-waiting[i]; !errors.Is(a.err, edgelens.ErrCanceled) {
						t.Errorf("who left got %v, want ErrCanceled", a.err)
					}
					waiting[i] = nil
				}
				release()
				for i, done := range waiting {
					if done == nil {
						continue
					}
					if a := <-done; a.err != nil {
						t.Errorf("waiter %d, who stayed, got %v", i, a.err)
					}
				}
				synctest.Wait()
				if r := b.must(t, image("cat")); !r.Cached {
					t.Error("the work did not fill the cache")
				}
				if n := b.preprocessor.calls.Load(); n != 1 {
					t.Errorf("computed %d times, want once", n)
				}
			})
		})
	}
}

func TestFailureReachesEveryWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		gate := make(chan struct{})
		b.preprocessor.work = func([]byte) error { <-gate; return edgelens.ErrBadImage }
		var waiting []<-chan answer
		for range 5 {
			waiting = append(waiting, b.start(t.Context(), image("cat")))
		}
		synctest.Wait()
		close(gate)
		for _, done := range waiting {
			if a := <-done; !errors.Is(a.err, edgelens.ErrBadImage) || a.result != nil {
				t.Errorf("result %v, error %v, want ErrBadImage alone", a.result, a.err)
			}
		}
	})
}

func TestNoCacheRunsOnItsOwn(t *testing.T) {
	tests := map[string]struct{ ids [2]string }{
		"each with its id": {[2]string{"a", "b"}},
		"ids alike":        {[2]string{"a", "a"}},
		"no ids":           {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(oneSlot(), 64, 128)
				release := b.hold()
				var waiting []<-chan answer
				for _, id := range test.ids {
					req := image("cat")
					req.ID, req.NoCache = id, true
					waiting = append(waiting, b.start(t.Context(), req))
				}
				synctest.Wait()
				release()
				for _, done := range waiting {
					if a := <-done; a.err != nil {
						t.Error(a.err)
					}
				}
				if n := b.preprocessor.calls.Load(); n != 2 {
					t.Errorf("computed %d times, want each its own", n)
				}
			})
		})
	}
}

func TestRequestBelongsToCallerAfterReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		release := b.hold()
		ctx, cancel := context.WithCancel(t.Context())
		req := image("cat")
		done := b.start(ctx, req)
		synctest.Wait()
		cancel()
		<-done
		// The work continues without its caller, who reuses the request.
		*req = edgelens.Request{ID: "next", MinScore: 1, NoCache: true}
		release()
		synctest.Wait()
		if r := b.must(t, image("cat")); !r.Cached || len(r.Predictions) != 2 {
			t.Errorf("cached: %v, predictions %v, want those of the request as it was", r.Cached, r.Predictions)
		}
	})
}

// An interactive request does not wait for background work.
func TestInteractiveRequestDoesNotJoinBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 2, Timeout: oneSlot().Timeout}, 64, 128)
		release := b.hold()
		var waiting []<-chan answer
		for _, req := range []*edgelens.Request{bulk("cat"), image("cat"), bulk("cat")} {
			waiting = append(waiting, b.start(t.Context(), req))
			synctest.Wait()
		}
		release()
		for _, done := range waiting {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
		if n, behind := b.preprocessor.calls.Load(), b.runner.inBackground.Load(); n != 2 || behind != 1 {
			t.Errorf("computed %d times, %d of them in the background; want 2 and 1", n, behind)
		}
		b.must(t, image("cat"))
		if _, err := b.Recognize(t.Context(), bulk("cat")); err != nil || b.preprocessor.calls.Load() != 2 {
			t.Errorf("the cache is not shared: %v", err)
		}
	})
}
