package vector_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/learn/vector"
)

// bruteForce is what Find must return.
func bruteForce(all map[int64][]int8, query []int8, s vector.Search) []vector.Match {
	var list []vector.Match
	for id, values := range all {
		if similarity := vector.Cosine(query, values); similarity >= s.MinSimilarity && (s.Keep == nil || s.Keep(id)) {
			list = append(list, vector.Match{ID: id, Similarity: similarity})
		}
	}
	slices.SortFunc(list, func(a, b vector.Match) int {
		switch {
		case a.Similarity != b.Similarity && a.Similarity > b.Similarity, a.Similarity == b.Similarity && a.ID > b.ID:
			return -1
		default:
			return 1
		}
	})
	return list[:min(len(list), s.Limit)]
}

func randomVector(r *rand.Rand, dims int) []int8 {
	v := make([]int8, dims)
	for i := range v {
		v[i] = int8(r.IntN(256) - 128)
	}
	v[0] |= 1 // it has a direction
	return v
}

// kinds of data that a search may have to deal with.
var kinds = map[string]func(r *rand.Rand, i, dims int) []int8{
	"random": func(r *rand.Rand, _, dims int) []int8 { return randomVector(r, dims) },
	"clustered": func(r *rand.Rand, i, dims int) []int8 {
		v := randomVector(rand.New(rand.NewPCG(uint64(i%7), 1)), dims)
		for range 3 {
			v[r.IntN(dims)] = int8(r.IntN(256) - 128)
		}
		v[0] |= 1
		return v
	},
	"extremes": func(r *rand.Rand, _, dims int) []int8 {
		v := make([]int8, dims)
		for i := range v {
			v[i] = []int8{-128, 127}[r.IntN(2)]
		}
		return v
	},
	"all the same": func(_ *rand.Rand, _, dims int) []int8 {
		v := make([]int8, dims)
		for i := range v {
			v[i] = -128
		}
		return v
	},
	"one number": func(r *rand.Rand, _, dims int) []int8 {
		v := make([]int8, dims)
		v[r.IntN(dims)] = 1
		return v
	},
}

func TestFindIsExact(t *testing.T) {
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) {
			for _, dims := range []int{1, 7, 8, 9, 64, 1024, 1025} {
				r := rand.New(rand.NewPCG(uint64(dims), 2))
				var x vector.Index
				all := map[int64][]int8{}
				for i := range 600 {
					id := int64(r.IntN(1000)) // some are replaced
					all[id] = make(r, i, dims)
					if err := x.Add(id, all[id]); err != nil {
						t.Fatal(err)
					}
				}
				for id := range int64(1000) {
					if id%3 == 0 {
						x.Remove(id)
						delete(all, id)
					}
				}
				if x.Len() != len(all) {
					t.Fatalf("%d vectors, want %d", x.Len(), len(all))
				}
				for _, s := range []vector.Search{
					{Limit: 1}, {Limit: 10, MinSimilarity: -1}, {Limit: 10_000, MinSimilarity: -1}, {Limit: 50, MinSimilarity: 0.5},
					{Limit: 5, MinSimilarity: -1, Keep: func(id int64) bool { return id%2 == 0 }},
				} {
					query := make(r, r.IntN(600), dims)
					got, err := x.Find(t.Context(), query, s)
					if want := bruteForce(all, query, s); err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
						t.Fatalf("%d dimensions, %+v: got %v (%v), want %v", dims, s, got, err, want)
					}
				}
			}
		})
	}
}

func TestFindRefuses(t *testing.T) {
	var x vector.Index
	if got, err := x.Find(t.Context(), []int8{1, 2}, vector.Search{Limit: 1}); err != nil || len(got) != 0 {
		t.Errorf("an empty index: %v, %v", got, err)
	}
	if err := x.Add(1, []int8{1, 2}); err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string][]int8{"none": nil, "zeros": {0, 0}, "other dimensions": {1, 2, 3}} {
		if err := x.Add(2, values); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("add %s: %v", name, err)
		}
		if _, err := x.Find(t.Context(), values, vector.Search{Limit: 1}); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("find %s: %v", name, err)
		}
	}
	if _, err := x.Find(t.Context(), []int8{1, 2}, vector.Search{}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("no limit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Find(ctx, []int8{1, 2}, vector.Search{Limit: 1}); !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("canceled: %v", err)
	}
	x.Remove(7, 1)
	if err := x.Add(1, []int8{1, 2, 3}); err != nil || x.Len() != 1 {
		t.Errorf("an index that is empty again takes other dimensions: %v, %d", err, x.Len())
	}
}

func TestQuantize(t *testing.T) {
	q, err := vector.Quantize([]float32{0.6, -0.8, 0})
	if err != nil || !slices.Equal(q.Values, []int8{95, -127, 0}) || math.Abs(float64(q.Scale)-0.8/127) > 1e-6 {
		t.Errorf("%+v, %v", q, err)
	}
	nan := float32(math.NaN())
	for name, v := range map[string][]float32{"none": nil, "zeros": {0, 0}, "no number": {nan}, "infinite": {float32(math.Inf(1))}, "too many": make([]float32, vector.MaxDims+1)} {
		if _, err := vector.Quantize(v); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tiny, err := vector.Quantize([]float32{math.SmallestNonzeroFloat32, 0})
	if err != nil || tiny.Values[0] != 127 {
		t.Errorf("the smallest number: %+v, %v", tiny, err)
	}
}

// The largest vectors of the largest numbers do not overflow.
func TestLargest(t *testing.T) {
	v := make([]int8, vector.MaxDims)
	for i := range v {
		v[i] = -128
	}
	other := slices.Clone(v)
	for i := range other {
		other[i] = 127
	}
	var x vector.Index
	if err := errors.Join(x.Add(1, v), x.Add(2, other)); err != nil {
		t.Fatal(err)
	}
	for _, query := range [][]int8{v, other} {
		s := vector.Search{Limit: 2, MinSimilarity: -1}
		got, err := x.Find(t.Context(), query, s)
		if want := bruteForce(map[int64][]int8{1: v, 2: other}, query, s); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v (%v), want %v", got, err, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, uint8(2))
	f.Add([]byte{128, 127, 129, 255, 0, 1, 7, 8, 9}, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, dims uint8) {
		d := int(dims)
		if d == 0 || len(data) < 2*d {
			return
		}
		vectors := make([][]int8, 0, len(data)/d)
		for ; len(data) >= d; data = data[d:] {
			v := make([]int8, d)
			for i := range v {
				v[i] = int8(data[i])
			}
			vectors = append(vectors, v)
		}
		var x vector.Index
		all := map[int64][]int8{}
		for id, v := range vectors[1:] {
			if x.Add(int64(id), v) == nil {
				all[int64(id)] = v
			}
		}
		s := vector.Search{Limit: 3, MinSimilarity: -1}
		got, err := x.Find(t.Context(), vectors[0], s)
		if err != nil {
			return
		}
		if want := bruteForce(all, vectors[0], s); len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// BenchmarkFind searches 100,000 vectors of 1024 dimensions, the worst kind: random ones, of which none can be left out.
func BenchmarkFind(b *testing.B) {
	const count, dims = 100_000, 1024
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := rand.New(rand.NewPCG(1, 2))
	var x vector.Index
	for id := range count {
		if err := x.Add(int64(id), randomVector(r, dims)); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	query := randomVector(r, dims)
	begin := cpuTime()
	for b.Loop() {
		if _, err := x.Find(b.Context(), query, vector.Search{Limit: 10, MinSimilarity: -1}); err != nil {
			b.Fatal(err)
		}
	}
	milliseconds := float64(b.Elapsed().Milliseconds()) / float64(b.N)
	b.ReportMetric(milliseconds, "ms/search")
	b.ReportMetric(float64((cpuTime()-begin).Microseconds())/1000/float64(b.N), "cpu_ms/search")
	b.ReportMetric(count/milliseconds, "vectors/ms")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
	b.ReportMetric(float64(x.Bytes())/1e6, "MB_counted")
}

// cpuTime is how long processors have worked for this process, which other processes do not delay.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
