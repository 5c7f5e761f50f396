//go:build cgo && linux

package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/preprocess"
)

// hanging is a program that never comes up as a helper; it writes its process ids to a file.
func hanging(t *testing.T) (program string, pids func() []int) {
	t.Helper()
	folder := t.TempDir()
	program, list := filepath.Join(folder, "hang"), filepath.Join(folder, "pids")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho $$ >>'"+list+"'\nexec /bin/sleep 600\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, func() (all []int) {
		text, err := os.ReadFile(list)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pid)
		}
		return all
	}
}

// withHelpers is a Preprocessor whose helpers are started so; keep is how many are started at once.
func withHelpers(t *testing.T, options launch, isolation string, keep int) *fixture {
	t.Helper()
	f := &fixture{metrics: prometheus.NewRegistry(), log: &testutil.LogBuffer{}}
	options.settings = preprocess.DefaultConfig()
	local, err := preprocess.New(options.settings)
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Timeout, config.Isolation = time.Minute, IsolationOff
	if f.Preprocessor, err = New(config, Parts{Local: local, Settings: options.settings, Helpers: 2, Log: f.log.Logger(), Metrics: f.metrics}); err != nil {
		t.Fatal(err)
	}
	f.config.Isolation = isolation
	f.helpers = (&pools{usual: newPool(options, config, f.log.Logger(), 2, keep), background: newPool(options, config, f.log.Logger(), 2, 0)}).open()
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

const (
	failuresByTimeout = "edgelens_decode_helper_start_failures_total timeout"
	failuresByOther   = "edgelens_decode_helper_start_failures_total other"
)

// A helper that does not come up is killed and counted, and the request is refused as busy, with the reason; once
// helpers come up again, images are decoded.
func TestHelperThatHangsAtItsStart(t *testing.T) {
	program, pids := hanging(t)
	f := withHelpers(t, launch{program: program, timeout: 200 * time.Millisecond}, IsolationRequire, 0)
	var busy *edgelens.Busy
	if _, err := f.Tensors(files(t)["jpeg"], small(t)); !errors.As(err, &busy) || !strings.Contains(busy.Reason, "not up in time, and was killed, after 200ms") || busy.RetryAfter == 0 {
		t.Errorf("the request got %v", err)
	}
	all := pids()
	if len(all) != 1 {
		t.Fatalf("processes %v", all)
	}
	if err := syscall.Kill(all[0], 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it still runs: %v", err)
	}
	if timeouts, others := f.metric(t, failuresByTimeout), f.metric(t, failuresByOther); timeouts != 1 || others != 0 {
		t.Errorf("%v timeouts and %v others counted", timeouts, others)
	}
	pool := f.helpers.(*pools).usual
	pool.mu.Lock()
	pool.options.program, pool.options.timeout = "", startTimeout
	pool.mu.Unlock()
	if _, err := f.Tensors(files(t)["jpeg"], small(t)); err != nil {
		t.Errorf("with helpers that come up: %v", err)
	}
}

// Where not even the first helper comes up, images are decoded in this process if that is allowed.
func TestFirstHelperThatHangs(t *testing.T) {
	program, _ := hanging(t)
	f := withHelpers(t, launch{program: program, timeout: 200 * time.Millisecond}, IsolationAuto, 1)
	if _, err := f.Tensors(files(t)["jpeg"], small(t)); err != nil {
		t.Error(err)
	}
	if !f.log.Contains("decode_in_process") || !f.log.Contains("not up in time") || f.metric(t, failuresByTimeout) != 1 {
		t.Errorf("%v counted, logged %s", f.metric(t, failuresByTimeout), f.log)
	}
}

// Closing does not wait for helpers that are being started.
func TestCloseDuringStart(t *testing.T) {
	program, pids := hanging(t)
	f := withHelpers(t, launch{program: program, timeout: time.Hour}, IsolationRequire, 1)
	testutil.Eventually(t, "one is being started", func() bool { return len(pids()) == 1 })
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(pids()[0], 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("it still runs: %v", err)
	}
	if n := f.metric(t, failuresByTimeout) + f.metric(t, failuresByOther); n != 0 {
		t.Errorf("%v failures counted of a start that was ended by the close", n)
	}
}

// A helper that ends at its start is counted, too.
func TestHelperThatEndsAtItsStart(t *testing.T) {
	f := withHelpers(t, launch{program: "/bin/false", timeout: time.Minute}, IsolationRequire, 0)
	var busy *edgelens.Busy
	if _, err := f.Tensors(files(t)["jpeg"], small(t)); !errors.As(err, &busy) || f.metric(t, failuresByOther) != 1 {
		t.Errorf("%v, %v counted", err, f.metric(t, failuresByOther))
	}
}
