//go:build cgo

package ledger_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

// benchLedger is a ledger without relevant limits.
func benchLedger(b *testing.B) *ledger.Ledger {
	config := quiet()
	config.MaxQueued = 1_000_000
	config.MaxBytes = math.MaxInt64
	return open(b, b.TempDir(), config)
}

// benchImage returns 100 kB that are unique to the call.
func benchImage() []byte {
	image := make([]byte, 100_000)
	binary.LittleEndian.PutUint64(image, rand.Uint64())
	return image
}

// measureEach runs do b.N times on that many goroutines and reports quantiles of its time.
func measureEach(b *testing.B, goroutines int, do func(ctx context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	times := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range goroutines {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				began := time.Now()
				if err := do(b.Context()); err != nil {
					b.Error(err)
				}
				times[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	reportQuantiles(b, times)
}

func reportQuantiles(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	for name, q := range map[string]float64{"p50-ms": 0.5, "p99-ms": 0.99} {
		b.ReportMetric(float64(times[int(q*float64(len(times)-1))])/float64(time.Millisecond), name)
	}
}

func BenchmarkAccept(b *testing.B) {
	image := benchImage()
	spec := specOf(image)
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			l := benchLedger(b)
			measureEach(b, goroutines, func(ctx context.Context) error {
				_, _, err := l.Jobs.Accept(ctx, spec, image)
				return err
			})
		})
	}
}

// BenchmarkAcceptWhileDraining accepts 200 jobs a second, about what two cores recognize, while four workers start and
// finish them. Times count from a job's due time, so that a slow one counts for those behind it.
func BenchmarkAcceptWhileDraining(b *testing.B) {
	const every = time.Second / 200
	l := benchLedger(b)
	image := benchImage()
	spec := specOf(image)
	accepted := make(chan string, b.N)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for id := range accepted {
				if _, _, err := l.Jobs.Start(context.Background(), id); err != nil {
					b.Error(err)
				}
				if err := l.Jobs.Finish(context.Background(), id, resultOf("cat", 0.5)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	times := make([]time.Duration, b.N)
	var clients sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for i := range b.N {
		due := began.Add(time.Duration(i) * every)
		time.Sleep(time.Until(due))
		clients.Go(func() {
			job, _, err := l.Jobs.Accept(b.Context(), spec, image)
			if err != nil {
				b.Error(err)
			}
			times[i] = time.Since(due)
			accepted <- job.ID
		})
	}
	clients.Wait()
	b.StopTimer()
	close(accepted)
	workers.Wait()
	reportQuantiles(b, times)
}

func BenchmarkFinish(b *testing.B) {
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			l := benchLedger(b)
			ids := acceptMany(b, l, b.N)
			var next atomic.Int64
			measureEach(b, goroutines, func(ctx context.Context) error {
				return l.Jobs.Finish(ctx, ids[next.Add(1)-1], resultOf("cat", 0.5))
			})
		})
	}
}

func BenchmarkJob(b *testing.B) {
	l := benchLedger(b)
	ids := acceptMany(b, l, 1000)
	for _, id := range ids {
		if err := l.Jobs.Finish(b.Context(), id, resultOf("cat", 0.5)); err != nil {
			b.Fatal(err)
		}
	}
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			measureEach(b, goroutines, func(ctx context.Context) error {
				_, err := l.Jobs.Job(ctx, ids[rand.IntN(len(ids))])
				return err
			})
		})
	}
}

func BenchmarkJobsPage(b *testing.B) {
	l := benchLedger(b)
	acceptMany(b, l, 2000)
	measureEach(b, 1, func(ctx context.Context) error {
		_, _, err := l.Jobs.Jobs(ctx, edgelens.JobFilter{Status: edgelens.JobQueued})
		return err
	})
}

// BenchmarkWaitWakes measures from the return of Finish to that of Wait.
func BenchmarkWaitWakes(b *testing.B) {
	l := benchLedger(b)
	ids := acceptMany(b, l, b.N)
	times := make([]time.Duration, b.N)
	b.ResetTimer()
	for i, id := range ids {
		woken := make(chan time.Time)
		go func() {
			if _, err := l.Jobs.Wait(b.Context(), id); err != nil {
				b.Error(err)
			}
			woken <- time.Now()
		}()
		if err := l.Jobs.Finish(b.Context(), id, resultOf("cat", 0.5)); err != nil {
			b.Fatal(err)
		}
		finished := time.Now()
		times[i] = max(0, (<-woken).Sub(finished))
	}
	b.StopTimer()
	reportQuantiles(b, times)
}
