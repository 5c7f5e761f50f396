package supervise_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

func TestHangingRedisIsRestarted(t *testing.T) {
	supervisetest.FindRedis(t)
	log := &testutil.LogBuffer{}
	config := supervise.DefaultRedisConfig()
	config.Silence = time.Second
	r, err := supervise.StartRedis(within(t, 30*time.Second), testutil.ShortDir(t), config, log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, r)
	mustAsk(t, r.Socket(), "+OK", "SET", "kept", "yes")
	hung := r.PID()
	began := time.Now()
	if err := syscall.Kill(hung, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, r.Process, "Redis is up again", func() bool { return r.Up() && r.PID() != hung })
	t.Logf("up again after %v", time.Since(began))
	mustAsk(t, r.Socket(), "yes", "GET", "kept")
	if alive(hung) {
		t.Error("the one that hung is still there")
	}
	if output := log.String(); !strings.Contains(output, "it hung, without an answer for 1s") {
		t.Errorf("the log lacks the reason: %s", output)
	}
}

// A child that answers anything is not restarted.
func TestBusyRedisIsNotRestarted(t *testing.T) {
	supervisetest.FindRedis(t)
	config := supervise.DefaultRedisConfig()
	config.Silence = time.Second
	r, err := supervise.StartRedis(within(t, 30*time.Second), testutil.ShortDir(t), config, quiet)
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, r)
	pid := r.PID()
	mustAsk(t, r.Socket(), "+OK", "CONFIG", "SET", "lua-time-limit", "10") // -BUSY after 10 ms
	var script sync.WaitGroup
	defer script.Wait()
	script.Go(func() { _, _ = ask(r.Socket(), "EVAL", "while true do end", "0") }) // until it is killed
	busy := func() bool {
		answer, err := ask(r.Socket(), "PING")
		return err == nil && strings.HasPrefix(answer, "-BUSY")
	}
	testutil.Eventually(t, "Redis is busy", busy)
	for began := time.Now(); time.Since(began) < 2500*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		if !busy() {
			t.Fatal("Redis is not busy any more")
		}
	}
	mustAsk(t, r.Socket(), "+OK", "SCRIPT", "KILL")
	if r.PID() != pid || r.Restarts() != 0 {
		t.Errorf("it was started again %d times", r.Restarts())
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// answers reports whether the child answers the nth check.
		answers  func(n int64) bool
		restarts int
	}{
		"always answers":             {func(int64) bool { return true }, 0},
		"misses four in a row":       {func(n int64) bool { return n%5 == 0 }, 0},
		"misses five, then answers":  {func(n int64) bool { return n > 5 }, 1},
		"misses ten, in two lives":   {func(n int64) bool { return n > 10 }, 2},
		"hangs after it was asked 7": {func(n int64) bool { return n <= 7 || n > 12 }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			s := spec(t, "serve")
			s.Silence = 100 * time.Millisecond
			s.Alive = func(context.Context) error {
				if !test.answers(asked.Add(1)) {
					return errors.New("no answer")
				}
				return nil
			}
			p := start(t, s)
			until(t, p, "the restarts that there must be", func() bool { return p.Up() && p.Restarts() >= test.restarts })
			testutil.Eventually(t, "it was checked often", func() bool { return asked.Load() > 25 })
			if p.Restarts() != test.restarts {
				t.Errorf("%d restarts, want %d", p.Restarts(), test.restarts)
			}
		})
	}
}

// Stopping a hanging child does not wait for a check of it.
func TestStopDuringCheck(t *testing.T) {
	t.Parallel()
	s := spec(t, "serve")
	asking := make(chan struct{}, 100)
	s.Silence = 10 * time.Second // checked after 2 s, each time for 2 s
	s.Alive = func(ctx context.Context) error {
		asking <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	p := start(t, s)
	<-asking
	began := time.Now()
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopping took %v", took)
	}
}
