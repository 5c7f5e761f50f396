package recognize_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"edgelens"
	"edgelens/recognize"
)

func TestRequestIsChecked(t *testing.T) {
	tests := map[string]struct {
		change func(*edgelens.Request)
		want   error
	}{
		"no image":           {func(r *edgelens.Request) { r.Image = nil }, edgelens.ErrNoImage},
		"empty image":        {func(r *edgelens.Request) { r.Image = []byte{} }, edgelens.ErrNoImage},
		"top_k negative":     {func(r *edgelens.Request) { r.TopK = -1 }, edgelens.ErrInvalid},
		"top_k too large":    {func(r *edgelens.Request) { r.TopK = edgelens.MaxTopK + 1 }, edgelens.ErrInvalid},
		"top_k largest":      {func(r *edgelens.Request) { r.TopK = edgelens.MaxTopK }, nil},
		"min_score negative": {func(r *edgelens.Request) { r.MinScore = -.1 }, edgelens.ErrInvalid},
		"min_score above 1":  {func(r *edgelens.Request) { r.MinScore = 1.1 }, edgelens.ErrInvalid},
		"min_score NaN":      {func(r *edgelens.Request) { r.MinScore = math.NaN() }, edgelens.ErrInvalid},
		"min_score 1":        {func(r *edgelens.Request) { r.MinScore = 1 }, nil},
		"no such fit":        {func(r *edgelens.Request) { r.View.Fit = "crop" }, edgelens.ErrInvalid},
		"a fit":              {func(r *edgelens.Request) { r.View.Fit = edgelens.FitPad }, nil},
		"region outside":     {func(r *edgelens.Request) { r.View.Region = edgelens.Region{X: 1e9, Width: 1, Height: 1} }, edgelens.ErrInvalid},
		"region NaN":         {func(r *edgelens.Request) { r.View.Region = edgelens.Region{Width: math.NaN(), Height: 1} }, edgelens.ErrInvalid},
		"no such priority":   {func(r *edgelens.Request) { r.Priority = 99 }, edgelens.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(oneSlot(), 64, 128)
			req := image("cat")
			test.change(req)
			_, err := b.Recognize(t.Context(), req)
			if edgelens.Code(err) != edgelens.Code(test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

// A result has which part of its wait was before its image was decoded: that for a slot, and without helpers that for an
// interpreter, too.
func TestAdmissionIsPartOfTheQueue(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		b := newBench(oneSlot(), 64, 128)
		b.preprocessor.ahead, b.runner.waited = ahead, 5*time.Millisecond
		result, err := b.Recognize(t.Context(), image("cat"))
		if err != nil {
			t.Fatal(err)
		}
		after := time.Duration(0)
		if ahead {
			after = b.runner.waited
		}
		if timings := result.Timings; timings.Queue < b.runner.waited || timings.Queue-timings.Admission != after {
			t.Errorf("decoded ahead %v: queue %v, admission %v, want %v after that", ahead, timings.Queue, timings.Admission, after)
		}
	}
}

func TestUnknownModelReachesTheCaller(t *testing.T) {
	b := newBench(oneSlot(), 64, 128)
	b.runner.describe = func() error { return fmt.Errorf("%w: nonesuch", edgelens.ErrUnknownModel) }
	if _, err := b.Recognize(t.Context(), image("cat")); !errors.Is(err, edgelens.ErrUnknownModel) {
		t.Errorf("error %v, want ErrUnknownModel", err)
	}
	if b.cache.gets != 0 || b.preprocessor.calls.Load() != 0 {
		t.Error("work was done for a model that is not there")
	}
}

func TestCloseRejectsNewWork(t *testing.T) {
	b := newBench(oneSlot(), 64, 128)
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Recognize(t.Context(), image("cat")); !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("error %v, want ErrStopping", err)
	}
	if n := b.preprocessor.calls.Load(); n != 0 {
		t.Errorf("%d images were worked on after Close", n)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCloseWaitsForWorkInProgress(t *testing.T) {
	tests := map[string]struct{ callerLeaves bool }{
		"its caller waits": {false},
		"its caller left":  {true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(oneSlot(), 64, 128)
				release := b.hold()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := b.start(ctx, image("cat"))
				synctest.Wait()
				if test.callerLeaves {
					cancel()
					<-done
				}
				closed := make(chan error, 1)
				go func() { closed <- b.Close(t.Context()) }()
				synctest.Wait()
				select {
				case err := <-closed:
					t.Fatalf("Close returned %v with work under way", err)
				default:
				}
				if _, err := b.Recognize(t.Context(), image("dog")); !errors.Is(err, edgelens.ErrStopping) {
					t.Errorf("new work while closing: %v, want ErrStopping", err)
				}
				release()
				if err := <-closed; err != nil {
					t.Errorf("Close: %v", err)
				}
				if !test.callerLeaves {
					if a := <-done; a.err != nil {
						t.Errorf("the work under way: %v", a.err)
					}
				}
			})
		})
	}
}

func TestCloseEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(oneSlot(), 64, 128)
		release := b.hold()
		done := b.start(t.Context(), image("cat"))
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := b.Close(ctx); !errors.Is(err, edgelens.ErrDeadline) || time.Since(begin) != time.Second {
			t.Errorf("error %v after %v, want ErrDeadline after 1s", err, time.Since(begin))
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Close(cancelled); !errors.Is(err, edgelens.ErrCanceled) {
			t.Errorf("error %v, want ErrCanceled", err)
		}
		release()
		<-done
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("Close after the work: %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	good := recognize.Config{Slots: 1, Timeout: time.Second, Quality: recognize.QualityOff}
	tests := map[string]struct {
		change func(*recognize.Config)
		errs   int
	}{
		"good":            {func(*recognize.Config) {}, 0},
		"no slots":        {func(c *recognize.Config) { c.Slots = 0 }, 1},
		"too many slots":  {func(c *recognize.Config) { c.Slots = 1026 }, 1},
		"short timeout":   {func(c *recognize.Config) { c.Timeout = time.Millisecond }, 1},
		"long timeout":    {func(c *recognize.Config) { c.Timeout = time.Hour }, 1},
		"all wrong":       {func(c *recognize.Config) { *c = recognize.Config{QualityMinScore: -1} }, 4},
		"unknown quality": {func(c *recognize.Config) { c.Quality = "some" }, 1},
		"sure of more":    {func(c *recognize.Config) { c.QualityMinScore = 1.01 }, 1},
		"sure of nothing": {func(c *recognize.Config) { c.QualityMinScore = math.NaN() }, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := good
			test.change(&c)
			err := c.Validate()
			errs := 0
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				errs = len(joined.Unwrap())
			}
			if errs != test.errs {
				t.Errorf("%d errors, want %d: %v", errs, test.errs, err)
			}
		})
	}
}
