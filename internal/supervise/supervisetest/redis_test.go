package supervisetest_test

import (
	"context"
	"testing"
	"time"

	"edgelens/internal/supervise/supervisetest"
)

func set(t *testing.T, r *supervisetest.Redis, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := r.Client.Set(context.Background(), key, "value", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// Each kind supports writing, listing and flushing.
func TestKinds(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *supervisetest.Redis{
		"single":   func(t testing.TB) *supervisetest.Redis { return supervisetest.Start(t) },
		"sentinel": supervisetest.StartSentinel,
		"cluster":  supervisetest.StartCluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			r := start(t)
			t.Logf("up after %v at %s", time.Since(began), r.URL)
			set(t, r, "a:1", "a:2", "a:3", "b:1")
			if keys := r.Keys("a:*"); len(keys) != 3 {
				t.Errorf("keys %q, want three", keys)
			}
			r.FlushAll()
			if keys := r.Keys("*"); len(keys) != 0 {
				t.Errorf("keys %q are left", keys)
			}
		})
	}
}

func TestStartAgain(t *testing.T) {
	for name, test := range map[string]struct {
		options []string
		end     func(*supervisetest.Server)
		kept    int
	}{
		"killed, keeps nothing":     {nil, (*supervisetest.Server).Kill, 0},
		"stopped, keeps nothing":    {nil, (*supervisetest.Server).Stop, 0},
		"killed, with persistence":  {[]string{"--appendonly", "yes", "--appendfsync", "always"}, (*supervisetest.Server).Kill, 1},
		"stopped, with persistence": {[]string{"--appendonly", "yes"}, (*supervisetest.Server).Stop, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := supervisetest.Start(t, test.options...)
			set(t, r, "key")
			test.end(r.Servers[0])
			if r.Client.Ping(context.Background()).Err() == nil {
				t.Error("it still answers")
			}
			r.Servers[0].Start()
			if keys := r.Keys("*"); len(keys) != test.kept {
				t.Errorf("keys %q, want %d", keys, test.kept)
			}
		})
	}
}

func TestFailOver(t *testing.T) {
	t.Parallel()
	r := supervisetest.StartSentinel(t)
	set(t, r, "before")
	began := time.Now()
	r.FailOver()
	t.Logf("the replica was promoted after %v", time.Since(began))
	for r.Client.Set(t.Context(), "after", "value", 0).Err() != nil {
		if t.Context().Err() != nil || time.Since(began) > 20*time.Second {
			t.Fatal("the client never finds the new master")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if keys := r.Keys("*"); len(keys) != 2 {
		t.Errorf("keys %q, want what was set before and after", keys)
	}
}
