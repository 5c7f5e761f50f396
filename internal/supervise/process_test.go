package supervise_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

func TestStartReturnsWhenTheChildIsReady(t *testing.T) {
	t.Setenv("EDGELENS_TEST_SECRET", "hunter2")
	var log testutil.LogBuffer
	s := spec(t, "serve")
	s.Log = log.Logger()
	p := start(t, s)
	if !p.Up() || p.Restarts() != 0 || !alive(p.PID()) {
		t.Errorf("up %v, restarts %d, process %d", p.Up(), p.Restarts(), p.PID())
	}
	pid := p.PID()
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.Up() || p.PID() != 0 || alive(pid) {
		t.Errorf("stopped: up %v, process %d", p.Up(), p.PID())
	}
	text := log.String()
	for _, want := range []string{"level=DEBUG", "secret:", "no end of line", "child=testserver"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("the child inherited our environment:\n%s", text)
	}
}

func TestStartFails(t *testing.T) {
	tests := map[string]struct {
		role   string
		change func(t *testing.T, s *supervise.Spec)
		want   error
		words  []string
	}{
		"the child exits":   {"die", nil, edgelens.ErrStopping, []string{"testserver", "exit status 7", "line 10", "line 29"}},
		"the child crashes": {"crash", nil, edgelens.ErrStopping, []string{"signal: aborted"}},
		"child never ready": {"mute", func(_ *testing.T, s *supervise.Spec) { s.StartTimeout = 300 * time.Millisecond }, edgelens.ErrStopping, []string{"300ms", "thinking"}},
		"no such program":   {"serve", func(_ *testing.T, s *supervise.Spec) { s.Path = "/nonesuch/program" }, edgelens.ErrStopping, []string{"/nonesuch/program"}},
		"no such folder":    {"serve", func(_ *testing.T, s *supervise.Spec) { s.Dir = "/nonesuch/folder" }, edgelens.ErrStopping, []string{"/nonesuch/folder"}},
		"nothing is prepared": {"serve", func(_ *testing.T, s *supervise.Spec) {
			s.Prepare = func() (func(), error) { return nil, edgelens.ErrDiskFull }
		}, edgelens.ErrDiskFull, []string{"testserver"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := spec(t, test.role)
			if test.change != nil {
				test.change(t, &s)
			}
			p := supervise.New(s)
			err := p.Start(within(t, 30*time.Second))
			if !errors.Is(err, test.want) {
				t.Fatalf("Start: %v, want %v", err, test.want)
			}
			for _, word := range test.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("Start: %v\nwant it to contain %q", err, word)
				}
			}
			if strings.Contains(err.Error(), "line 9 ") {
				t.Errorf("Start: more than the last 20 lines: %v", err)
			}
			if p.Up() || p.PID() != 0 {
				t.Errorf("up %v, process %d", p.Up(), p.PID())
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Errorf("Stop: %v", err)
			}
		})
	}
}

func TestStartWithEndedContextLeavesNothing(t *testing.T) {
	p := supervise.New(spec(t, "mute"))
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- p.Start(ctx) }()
	until(t, p, "a child", func() bool { return p.PID() != 0 })
	pid := p.PID()
	cancel()
	if err := <-result; !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("Start: %v, want ErrCanceled", err)
	}
	if alive(pid) {
		t.Errorf("process %d was left", pid)
	}
	if err := p.Start(t.Context()); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("second Start: %v, want ErrInvalid", err)
	}
}

func TestRecoverIsCalledOnceBeforeReady(t *testing.T) {
	for name, recovered := range map[string]bool{"the cause removed": true, "the cause not removed": false} {
		t.Run(name, func(t *testing.T) {
			s := spec(t, "die")
			var exits []supervise.ExitError
			s.Recover = func(d supervise.ExitError) bool { exits = append(exits, d); return recovered }
			if err := supervise.New(s).Start(within(t, 30*time.Second)); err == nil {
				t.Fatal("it started")
			}
			if len(exits) != 1 || exits[0].Status != "exit status 7" || exits[0].Crashed || len(exits[0].Lines) != 20 {
				t.Errorf("exits %+v, want one with exit status 7 and 20 lines", exits)
			}
		})
	}
}

func TestKilledChildIsRestarted(t *testing.T) {
	p := start(t, spec(t, "serve"))
	for want := 1; want <= 3; want++ {
		pid := p.PID()
		kill(t, pid)
		until(t, p, "it is up again", func() bool { return p.Up() && p.Restarts() == want })
		if p.PID() == pid || !alive(p.PID()) {
			t.Errorf("process %d after %d", p.PID(), pid)
		}
	}
}

// TestFailingChildIsNotABusyLoop has a child that exits as soon as it is ready.
func TestFailingChildIsNotABusyLoop(t *testing.T) {
	s := spec(t, "once")
	s.Backoff = supervise.Backoff{Min: 40 * time.Millisecond, Max: 320 * time.Millisecond, Reset: time.Hour}
	p := start(t, s)
	began := time.Now()
	var waits []time.Duration
	for restarts := 1; restarts <= 6; restarts++ {
		until(t, p, "it died", func() bool { return p.PID() == 0 || p.Restarts() >= restarts })
		died := time.Now()
		until(t, p, "it was started again", func() bool { return p.Restarts() >= restarts })
		waits = append(waits, time.Since(died))
	}
	// 40 + 80 + 160 + 3*320 ms, of each at least half.
	if least := 620 * time.Millisecond; time.Since(began) < least {
		t.Errorf("6 restarts in %v, want at least %v; waits %v", time.Since(began), least, waits)
	}
	if waits[5] < 100*time.Millisecond {
		t.Errorf("the waits did not grow: %v", waits)
	}
	began = time.Now()
	if err := p.Stop(t.Context()); err != nil || p.PID() != 0 {
		t.Errorf("Stop: %v, process %d", err, p.PID())
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Stop took %v", took)
	}
}

func TestBackoffResetsAfterUptime(t *testing.T) {
	s := spec(t, "serve")
	s.Backoff = supervise.Backoff{Min: time.Millisecond, Max: time.Hour, Reset: time.Nanosecond}
	p := start(t, s)
	for want := 1; want <= 25; want++ { // by doubling, the last wait would be hours
		kill(t, p.PID())
		until(t, p, "it is up again", func() bool { return p.Up() && p.Restarts() == want })
	}
}

func TestStop(t *testing.T) {
	tests := map[string]struct {
		role    string
		timeout time.Duration // StopTimeout
		patient bool          // whether Stop's ctx has not ended
	}{
		"a child that ends":                   {"serve", time.Minute, true},
		"a stubborn child":                    {"stubborn", 200 * time.Millisecond, true},
		"a stubborn child without a deadline": {"stubborn", time.Minute, false},
		"a child with a child":                {"fork", time.Minute, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := spec(t, test.role)
			s.StopTimeout = test.timeout
			p := start(t, s)
			pids := []int{p.PID()}
			if text, err := os.ReadFile(filepath.Join(s.Dir, "grandchild")); err == nil {
				pid, err := strconv.Atoi(string(text))
				if err != nil || !alive(pid) {
					t.Fatalf("no grandchild: %q", text)
				}
				pids = append(pids, pid)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if !test.patient {
				cancel()
			}
			var calls sync.WaitGroup
			for range 3 {
				calls.Go(func() {
					if err := p.Stop(ctx); err != nil {
						t.Errorf("Stop: %v", err)
					}
				})
			}
			calls.Wait()
			if err := p.Stop(ctx); err != nil {
				t.Errorf("second Stop: %v", err)
			}
			for _, pid := range pids {
				testutil.Eventually(t, "no process is left", func() bool { return !alive(pid) })
			}
		})
	}
}

func TestStopBeforeStart(t *testing.T) {
	p := supervise.New(spec(t, "serve"))
	for range 2 {
		if err := p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := p.Start(t.Context()); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("Start after Stop: %v, want ErrInvalid", err)
	}
}

// TestChildrenOutliveThreads ends every thread that can be had: the kernel sends
// a child its parent-exit signal when the thread that started it ends.
func TestChildrenOutliveThreads(t *testing.T) {
	children := make([]*supervise.Process, 20)
	var starts sync.WaitGroup
	for i := range children { // all at once, so that threads change hands
		children[i] = supervise.New(spec(t, "serve"))
		stopAfter(t, children[i])
		starts.Go(func() {
			if err := children[i].Start(within(t, 30*time.Second)); err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
	for range 5 {
		var locked, ended sync.WaitGroup
		locked.Add(50)
		for range 50 {
			ended.Go(func() {
				runtime.LockOSThread() // and no unlock: its thread ends with the goroutine
				locked.Done()
				locked.Wait()
			})
		}
		ended.Wait()
	}
	for _, p := range children {
		kill(t, p.PID())
		until(t, p, "it is up again", func() bool { return p.Up() && p.Restarts() > 0 })
		if p.Restarts() != 1 {
			t.Errorf("started again %d times, want once, when it was killed", p.Restarts())
		}
	}
}
