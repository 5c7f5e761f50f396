package cache_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/cache"
	"edgelens/internal/testutil"
)

func newMemory(t testing.TB, config cache.Config) *cache.Memory {
	t.Helper()
	m, err := cache.NewMemory(config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGetReturnsSetResult(t *testing.T) {
	m := newMemory(t, cache.DefaultConfig())
	if r, ok := m.Get("a"); ok || r != nil {
		t.Fatalf("an empty cache gave %v", r)
	}
	first, second := &edgelens.Result{RequestID: "first"}, &edgelens.Result{RequestID: "second"}
	m.Set("a", first)
	m.Set("b", second)
	for key, want := range map[string]*edgelens.Result{"a": first, "b": second} {
		if r, ok := m.Get(key); !ok || r != want {
			t.Errorf("%s: %v, want %v", key, r, want)
		}
	}
	m.Set("a", second)
	if r, _ := m.Get("a"); r != second {
		t.Errorf("set again: %v, want %v", r, second)
	}
	if _, ok := m.Get("c"); ok {
		t.Error("a key that was never set is there")
	}
}

func TestNoEntriesStoresNothing(t *testing.T) {
	m := newMemory(t, cache.Config{MaxEntries: 0, TTL: time.Hour})
	m.Set("a", &edgelens.Result{})
	if _, ok := m.Get("a"); ok {
		t.Error("kept a result")
	}
}

func TestSizeIsBounded(t *testing.T) {
	const most, sets = 50, 1000
	m := newMemory(t, cache.Config{MaxEntries: most, TTL: time.Hour})
	for i := range sets {
		m.Set(fmt.Sprint(i), &edgelens.Result{})
	}
	kept := func() int {
		n := 0
		for i := range sets {
			if _, ok := m.Get(fmt.Sprint(i)); ok {
				n++
			}
		}
		return n
	}
	testutil.Eventually(t, "no more than MaxEntries are kept", func() bool { return kept() <= most })
	if kept() == 0 {
		t.Error("nothing was kept")
	}
}

func TestResultExpiresAfterTTL(t *testing.T) {
	const ttl = 50 * time.Millisecond // below what Validate allows, to be quick
	m := newMemory(t, cache.Config{MaxEntries: 10, TTL: ttl})
	before := time.Now()
	m.Set("a", &edgelens.Result{})
	if _, ok := m.Get("a"); !ok && time.Since(before) < ttl {
		t.Error("forgotten at once")
	}
	testutil.Eventually(t, "the result expires although it is used constantly", func() bool {
		_, ok := m.Get("a")
		return !ok
	})
	if took := time.Since(before); took < ttl {
		t.Errorf("forgotten after %v, want %v", took, ttl)
	}
	m.Set("a", &edgelens.Result{})
	if _, ok := m.Get("a"); !ok && time.Since(before) < ttl {
		t.Error("cannot be set again")
	}
}

func TestManyGoroutines(t *testing.T) {
	m := newMemory(t, cache.Config{MaxEntries: 20, TTL: time.Millisecond})
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for range 2000 {
				key := fmt.Sprint(random.IntN(60))
				if random.IntN(2) == 0 {
					m.Set(key, &edgelens.Result{RequestID: key})
				} else if r, ok := m.Get(key); ok && r.RequestID != key {
					t.Errorf("%s gave the result of %s", key, r.RequestID)
				}
			}
		})
	}
	group.Wait()
}

func TestConfig(t *testing.T) {
	tests := map[string]struct {
		config cache.Config
		errs   int
	}{
		"default":        {cache.DefaultConfig(), 0},
		"none kept":      {cache.Config{MaxEntries: 0, TTL: time.Second}, 0},
		"negative":       {cache.Config{MaxEntries: -1, TTL: time.Second}, 1},
		"far too many":   {cache.Config{MaxEntries: 10_000_001, TTL: time.Second}, 1},
		"short TTL":      {cache.Config{MaxEntries: 1, TTL: time.Second - 1}, 1},
		"negative TTL":   {cache.Config{MaxEntries: 1, TTL: -time.Hour}, 1},
		"nothing is set": {cache.Config{}, 1},
		"all wrong":      {cache.Config{MaxEntries: -1}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.config.Validate()
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

func BenchmarkGet(b *testing.B) {
	m := newMemory(b, cache.DefaultConfig())
	m.Set("a", &edgelens.Result{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Get("a")
		}
	})
}
