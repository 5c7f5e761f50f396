package telemetry_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/internal/telemetry"
)

// A step has what happened in it, and the steps between are empty.
func TestActivitySteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a := telemetry.NewActivity()
		a.Recognized(10*time.Millisecond, nil)
		a.Recognized(time.Millisecond, fmt.Errorf("decode: %w", edgelens.ErrBadImage))
		a.Refused()
		a.Recognized(time.Millisecond, &edgelens.Busy{Reason: "full"})
		a.Recognized(time.Millisecond, edgelens.ErrCanceled)
		a.Waiting(3)
		a.Waiting(1)
		time.Sleep(12 * time.Second)
		a.Recognized(20*time.Millisecond, nil)
		a.Queued(7)

		got := a.Activity(15 * time.Minute)
		if got.Step != 5*time.Second || len(got.Steps) != 3 || !got.From.Equal(start) || !got.Until.Equal(time.Now()) {
			t.Fatalf("got %d steps of %v from %v to %v, want 3 of 5s since %v", len(got.Steps), got.Step, got.From, got.Until, start)
		}
		first, second, third := got.Steps[0], got.Steps[1], got.Steps[2]
		if first.Answered != 1 || first.Failed != 1 || first.Refused != 2 || first.Waiting != 3 || first.Queued != 0 {
			t.Errorf("first step: %+v", first)
		}
		if second != (edgelens.ActivityStep{At: start.Add(5 * time.Second).UTC()}) {
			t.Errorf("the step in which nothing happened: %+v", second)
		}
		if third.Answered != 1 || third.Queued != 7 || !third.At.Equal(start.Add(10*time.Second)) {
			t.Errorf("third step: %+v", third)
		}
		if now := got.Now; now.Answered != 2 || now.Refused != 2 || now.Failed != 1 || now.Waiting != 1 || now.Queued != 7 || now.Over != 12*time.Second {
			t.Errorf("the present: %+v", now)
		}
	})
}

// What is older than a minute is not present; what is older than is kept is gone, also after a long quiet time.
func TestActivityForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := telemetry.NewActivity()
		a.Recognized(time.Millisecond, nil)
		time.Sleep(90 * time.Second)
		if now := a.Activity(time.Minute).Now; now.Answered != 0 || now.Over > time.Minute || now.Over < 55*time.Second {
			t.Errorf("after 90 seconds: %+v", now)
		}
		if sum := answered(a.Activity(30 * time.Minute)); sum != 1 {
			t.Errorf("half an hour has %d, want 1", sum)
		}
		time.Sleep(time.Hour)
		long := a.Activity(6 * time.Hour)
		if long.Step != time.Minute || answered(long) != 1 || answered(a.Activity(30*time.Minute)) != 0 {
			t.Errorf("after an hour: %d in six hours by %v, %d in half an hour", answered(long), long.Step, answered(a.Activity(30*time.Minute)))
		}
		time.Sleep(100 * time.Hour)
		if long := a.Activity(6 * time.Hour); answered(long) != 0 || len(long.Steps) != 360 {
			t.Errorf("after 100 hours: %d in %d steps", answered(long), len(long.Steps))
		}
	})
}

func answered(a edgelens.Activity) (sum int64) {
	for _, s := range a.Steps {
		sum += s.Answered
	}
	return sum
}

// The percentile is within a tenth of the exact one, whatever the durations are.
func TestActivityPercentile(t *testing.T) {
	for _, exact := range []time.Duration{200 * time.Microsecond, 3 * time.Millisecond, 47 * time.Millisecond, 1300 * time.Millisecond, 80 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			a := telemetry.NewActivity()
			for range 19 {
				a.Recognized(exact, nil)
			}
			a.Recognized(10*exact, nil) // one in twenty is beyond the 95th
			got := a.Activity(time.Minute).Steps[0].P95
			if off := math.Abs(float64(got)/float64(exact) - 1); off > 0.1 {
				t.Errorf("95th percentile %v, want %v within a tenth", got, exact)
			}
		})
	}
}

func BenchmarkActivity(b *testing.B) {
	a := telemetry.NewActivity()
	b.Run("count", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a.Recognized(time.Millisecond, nil)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a.Activity(telemetry.MaxActivity)
		}
	})
}
