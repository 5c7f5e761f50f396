package ledger

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The spans of stored times before a moment are those that moved puts before it.
func TestClockSteps(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var steps clockSteps
		now := int64(0)
		for range random.IntN(6) {
			now += random.Int64N(50) - 15 // it may step back in between
			jump := 1 + random.Int64N(40)
			steps = append(steps, clockStep{before: now, jump: jump})
			now += jump
		}
		for range 20 {
			cutoff := random.Int64N(300) - 100
			spans := steps.before(cutoff)
			for at := int64(-200); at < 400; at++ {
				within := false
				for _, s := range spans {
					within = within || s.from <= at && at < s.until
				}
				if want := steps.moved(at) < cutoff; within != want {
					t.Fatalf("steps %v: %d counts as %d, which is before %d: %v; the spans %v have it: %v", steps, at, steps.moved(at), cutoff, want, spans, within)
				}
			}
			for i := 1; i < len(spans); i++ {
				if spans[i].from <= spans[i-1].until {
					t.Fatalf("the spans %v are not apart and in order", spans)
				}
			}
		}
	}
}

func TestWithoutClockSteps(t *testing.T) {
	spans := clockSteps(nil).before(7)
	if len(spans) != 1 || spans[0] != (span{math.MinInt64, 7}) {
		t.Errorf("the spans are %v", spans)
	}
}
