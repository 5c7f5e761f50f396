//go:build !race

package vector_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"edgelens/learn/vector"
)

// A search of 100,000 vectors of 1024 dimensions takes less than 50 ms of one processor, and the vectors less than 150 MB
// (docs/embeddings.md). The best of some searches counts, since other programs slow down the rest.
func TestSearchOf100000(t *testing.T) {
	const count, dims = 100_000, 1024
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := rand.New(rand.NewPCG(1, 2))
	some := make([][]int8, 500)
	for i := range some {
		some[i] = randomVector(r, dims)
	}
	var x vector.Index
	for id := range count {
		if err := x.Add(int64(id), some[id%len(some)]); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if mb := float64(after.HeapAlloc-before.HeapAlloc) / 1e6; mb > 150 || float64(x.Bytes())/1e6 > 150 {
		t.Errorf("they take %.0f MB, and %.0f MB are counted", mb, float64(x.Bytes())/1e6)
	}
	least := time.Hour
	for range 10 {
		begin := cpuTime()
		if _, err := x.Find(t.Context(), randomVector(r, dims), vector.Search{Limit: 10, MinSimilarity: -1}); err != nil {
			t.Fatal(err)
		}
		least = min(least, cpuTime()-begin)
	}
	t.Logf("%.1f ms of a processor", least.Seconds()*1e3)
	if least > 50*time.Millisecond {
		t.Errorf("a search takes %v of a processor", least)
	}
}
