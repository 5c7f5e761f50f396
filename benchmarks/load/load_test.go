package load_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edgelens"
	"edgelens/benchmarks/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type target func(ctx context.Context, worker, n int) (string, time.Duration)

func (t target) Do(ctx context.Context, worker, n int) (string, time.Duration) {
	return t(ctx, worker, n)
}

func TestClosedLoopHasOneRequestPerConnection(t *testing.T) {
	var now, most atomic.Int32
	r, err := load.Closed(t.Context(), target(func(context.Context, int, int) (string, time.Duration) {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(time.Millisecond) // the work
		now.Add(-1)
		return load.Good, 0
	}), 3, 100*time.Millisecond)
	if err != nil || most.Load() > 3 {
		t.Fatal(err, most.Load())
	}
	workers := map[int]bool{}
	for _, s := range r.Samples {
		workers[s.Worker] = true
		if s.Due > s.Sent || s.Sent > s.Done {
			t.Fatalf("%+v", s)
		}
	}
	if len(workers) != 3 || int(r.Latency.TotalCount()) != len(r.Samples) || r.Throughput() <= 0 {
		t.Errorf("%d workers, %d of %d samples in the histogram", len(workers), r.Latency.TotalCount(), len(r.Samples))
	}
}

func TestRefusedConnectionWaitsForRetryAfter(t *testing.T) {
	var mu sync.Mutex
	asked := 0
	r, err := load.Closed(t.Context(), target(func(context.Context, int, int) (string, time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return "503", time.Hour
	}), 2, 50*time.Millisecond)
	if err != nil || asked != 2 || r.Throughput() != 0 || r.Latency.TotalCount() != 0 || len(r.Samples) != 2 {
		t.Errorf("asked %d times, %v: %+v", asked, err, r)
	}
}

// A hanging target delays the requests that are due meanwhile, and each of them counts the delay: no coordinated
// omission.
func TestOpenLoopLatencyCountsFromDueTime(t *testing.T) {
	const hang = 300 * time.Millisecond
	schedule, err := load.Schedule(100, load.Constant, 500*time.Millisecond, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := load.Open(t.Context(), target(func(_ context.Context, _, n int) (string, time.Duration) {
		if n == 0 {
			time.Sleep(hang)
		}
		return load.Good, 0
	}), 1, schedule, 500*time.Millisecond)
	if err != nil || len(r.Samples) != len(schedule) {
		t.Fatalf("%d samples, %v", len(r.Samples), err)
	}
	slow := 0
	for _, s := range r.Samples {
		if s.Done-s.Due > hang/2 {
			slow++
		}
	}
	// Those due in the first half of the hang: 15 of them, at 100 a second.
	if slow < 14 {
		t.Errorf("%d requests were late by half a hang, want at least 14", slow)
	}
	if p50 := r.Latency.ValueAtQuantile(99); p50 < (hang / 2).Microseconds() {
		t.Errorf("p99 in the histogram is %d us", p50)
	}
}

func TestOpenLoopDoesNotWaitForAnswers(t *testing.T) {
	schedule, _ := load.Schedule(200, load.Constant, 100*time.Millisecond, 0)
	release := make(chan struct{})
	var asked atomic.Int32
	r, err := load.Open(t.Context(), target(func(context.Context, int, int) (string, time.Duration) {
		if int(asked.Add(1)) == len(schedule) {
			close(release) // no answer before the last request
		}
		<-release
		return load.Good, 0
	}), len(schedule), schedule, 100*time.Millisecond)
	if err != nil || len(r.Samples) != len(schedule) {
		t.Errorf("%d samples, %v", len(r.Samples), err)
	}
}

// Latencies are those of good answers from their due time, and outliers count as the histogram's limits.
func TestNewResult(t *testing.T) {
	begin := time.Now()
	r := load.NewResult(begin, time.Second, []load.Sample{
		{Due: time.Second, Sent: 2 * time.Second, Done: 3 * time.Second, Status: load.Good},
		{Due: time.Second, Done: time.Second, Status: load.Good}, {Done: 3 * time.Hour, Status: load.Good},
		{Done: time.Minute, Status: "503"},
	})
	if !r.Begin.Equal(begin) || r.Window != time.Second || len(r.Samples) != 4 || r.Latency.TotalCount() != 3 {
		t.Errorf("%+v", r)
	}
	if low, middle, high := r.Latency.Min(), r.Latency.ValueAtQuantile(50), r.Latency.Max(); low != 1 || math.Abs(float64(middle)-2e6) > 2e3 || high < time.Hour.Microseconds() {
		t.Errorf("%d, %d, %d us", low, middle, high)
	}
}

func TestSchedule(t *testing.T) {
	constant, err := load.Schedule(50, load.Constant, 2*time.Second, 1)
	if err != nil || len(constant) != 100 || constant[1] != 20*time.Millisecond {
		t.Errorf("%d, %v", len(constant), err)
	}
	poisson, err := load.Schedule(1000, load.Poisson, 10*time.Second, 1)
	if err != nil || math.Abs(float64(len(poisson))-10000) > 400 {
		t.Errorf("%d arrivals of 10,000, %v", len(poisson), err)
	}
	again, _ := load.Schedule(1000, load.Poisson, 10*time.Second, 1)
	other, _ := load.Schedule(1000, load.Poisson, 10*time.Second, 2)
	if poisson[7] != again[7] || poisson[7] == other[7] {
		t.Error("the seed does not decide")
	}
	for name, bad := range map[string]error{
		"rate":     second(load.Schedule(0, load.Constant, time.Second, 1)),
		"NaN":      second(load.Schedule(math.NaN(), load.Constant, time.Second, 1)),
		"arrivals": second(load.Schedule(1, "bursts", time.Second, 1)),
	} {
		if !errors.Is(bad, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, bad)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestInterruptEndsBothLoops(t *testing.T) {
	hang := target(func(ctx context.Context, _, _ int) (string, time.Duration) {
		<-ctx.Done()
		return "interrupted", 0
	})
	for name, loop := range map[string]func(context.Context) (*load.Result, error){
		"closed": func(ctx context.Context) (*load.Result, error) { return load.Closed(ctx, hang, 4, time.Hour) },
		"open": func(ctx context.Context) (*load.Result, error) {
			return load.Open(ctx, hang, 4, []time.Duration{0, time.Hour}, time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			r, err := loop(ctx)
			if !load.IsInterrupt(err) || len(r.Samples) != 0 {
				t.Errorf("%v, %d samples", err, len(r.Samples))
			}
		})
	}
}
