package recognize_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/recognize"
)

// newDecoding returns a Service with that many slots whose images are decoded in other
// processes: those that begin with "heavy" in a second, those that begin with "slow" as well, which
// their headers do not tell, and the others in 10 ms.
func newDecoding(slots int) *bench {
	b := newBench(recognize.Config{Slots: slots, Timeout: time.Minute}, 64, 128)
	b.preprocessor.ahead = true
	b.preprocessor.memory = func(encoded []byte) (int64, error) {
		if strings.HasPrefix(string(encoded), "heavy") {
			return 100 << 20, nil
		}
		return 3 << 20, nil
	}
	b.preprocessor.work = func(encoded []byte) error {
		if strings.HasPrefix(string(encoded), "heavy") || strings.HasPrefix(string(encoded), "slow") {
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Millisecond)
		return nil
	}
	return b
}

// clients has that many clients send images, whose content begins with the word, one after the
// other until ctx ends. It returns how many were answered.
func (b *bench) clients(ctx context.Context, t *testing.T, n int, word string, all *sync.WaitGroup) *atomic.Int64 {
	var answered atomic.Int64
	for client := range n {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := b.Recognize(context.WithoutCancel(ctx), image(fmt.Sprint(word, client, " ", i))); err != nil {
					t.Error(err)
				}
				answered.Add(1)
			}
		})
	}
	return &answered
}

// A client of ordinary images does not notice others that send images which take long to decode.
func TestHeavyImagesLeaveSlots(t *testing.T) {
	for word, wanted := range map[string]struct {
		longest time.Duration
		heavy   int64
	}{
		"heavy": {10 * time.Millisecond, 10},
		"slow":  {110 * time.Millisecond, 40}, // until it is known that one is slow
	} {
		t.Run(word, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newDecoding(3)
				b.must(t, image("the one to learn from"))
				ctx, stop := context.WithCancel(t.Context())
				var all sync.WaitGroup
				others := b.clients(ctx, t, 6, word, &all)
				time.Sleep(time.Second)
				for i := range 200 {
					time.Sleep(50 * time.Millisecond)
					begin := time.Now()
					b.must(t, image(fmt.Sprint("ordinary ", i)))
					if took := time.Since(begin); took > wanted.longest {
						t.Errorf("image %d took %v, want %v at most", i, took, wanted.longest)
						break
					}
				}
				stop()
				all.Wait()
				if n := others.Load(); n < wanted.heavy {
					t.Errorf("%d of the others answered, want %d at least: nothing starves", n, wanted.heavy)
				}
			})
		})
	}
}

// Where nothing else arrives, heavy images have all slots.
func TestHeavyImagesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDecoding(3)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		answered := b.clients(ctx, t, 6, "heavy", &all)
		time.Sleep(20 * time.Second)
		if n := answered.Load(); n < 3*19 {
			t.Errorf("%d answered in 20 s, want three a second", n)
		}
		if most := b.preprocessor.most.Load(); most != 3 {
			t.Errorf("%d were decoded at a time, want 3", most)
		}
		stop()
		all.Wait()
	})
}

// However many images turn out to be slow, no more are decoded at a time than there are helpers.
func TestSlowImagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDecoding(3)
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		b.clients(ctx, t, 40, "slow", &all)
		door := image("slow, of a door")
		door.Priority = edgelens.PriorityDevice
		time.Sleep(10 * time.Second)
		b.must(t, door)
		if most := b.preprocessor.most.Load(); most > int64(recognize.MostAtOnce(3)) {
			t.Errorf("%d were decoded at a time, want %d at most", most, recognize.MostAtOnce(3))
		}
		stop()
		all.Wait()
	})
}

// What is decoded ahead is what the model gets, whatever its memory had before.
func TestDecodedAheadIsWhatRuns(t *testing.T) {
	b := newBench(recognize.Config{Slots: 2, Timeout: 10 * time.Second}, 0, 0)
	b.preprocessor.ahead = true
	b.runner.rawOf = func(tensor []byte) []byte { return []byte{tensor[0], 255 - tensor[0]} }
	for i := range 50 {
		shade := byte(i * 4)
		b.preprocessor.shade.Store(int64(shade))
		r, err := b.Recognize(t.Context(), image(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Predictions {
			if want := map[string]float64{"zero": float64(shade) / 256, "one": float64(255-shade) / 256}[p.Label]; math.Abs(p.Probability-want) > 1e-6 {
				t.Fatalf("image %d: %s has %v, want %v", i, p.Label, p.Probability, want)
			}
		}
	}
}
