package testutil_test

import (
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgelens/internal/testutil"
)

// failing is a testing.TB whose test may fail.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestEventually(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration // until the condition is true
		want  string
	}{
		"at once": {0, ""},
		"slow":    {59 * time.Second, ""},
		"never":   {time.Hour, "timed out after 1m0s waiting for: the sun rises"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, begin := &failing{TB: t}, time.Now()
				var waiting sync.WaitGroup
				waiting.Go(func() {
					testutil.Eventually(f, "the sun rises", func() bool { return time.Since(begin) >= test.after })
				})
				waiting.Wait()
				if f.message != test.want {
					t.Errorf("failed with %q, want %q", f.message, test.want)
				}
			})
		})
	}
}

// Every item has its turn, and without turns all come at once.
func TestEveryNth(t *testing.T) {
	items := []string{"a", "b", "c", "d", "e", "f", "g"}
	for turn, want := range map[string]string{"": "abcdefg", "0": "adg", "1": "be", "2": "cf", "16777215": "adg"} {
		t.Setenv("EDGELENS_TEST_TURN", turn)
		if got := strings.Join(testutil.EveryNth(t, 3, items), ""); got != want {
			t.Errorf("turn %q: %s, want %s", turn, got, want)
		}
	}
	t.Setenv("EDGELENS_TEST_TURN", "first")
	f := &failing{TB: t}
	var ending sync.WaitGroup
	ending.Go(func() { testutil.EveryNth(f, 3, items) })
	if ending.Wait(); !strings.HasPrefix(f.message, "EDGELENS_TEST_TURN: ") {
		t.Errorf("a turn that is no number: failed with %q", f.message)
	}
}

func TestLogBuffer(t *testing.T) {
	var log testutil.LogBuffer
	var writing sync.WaitGroup
	for n := range 10 {
		writing.Go(func() { log.Logger().Debug("hello", "n", n) })
	}
	writing.Wait()
	if lines := strings.Count(log.String(), "\n"); lines != 10 {
		t.Errorf("%d lines, want 10:\n%s", lines, &log)
	}
	if !log.Contains("msg=hello n=7") || log.Contains("n=10") {
		t.Errorf("the log is\n%s", &log)
	}
}

func TestFreeAddress(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		address := testutil.FreeAddress(t)
		if seen[address] || !testutil.IsFree(address) {
			t.Errorf("%s: it was given before, or is not free", address)
		}
		seen[address] = true
	}
	listener, err := net.Listen("tcp", testutil.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if testutil.IsFree(listener.Addr().String()) {
		t.Errorf("%s is free, though a server listens", listener.Addr())
	}
}

func TestShared(t *testing.T) {
	t.Run("set", func(t *testing.T) {
		t.Setenv("EDGELENS_TEST_SHARED", "/shared")
		if path, want := testutil.Shared(t, "models", "x"), filepath.Join("/shared", "models", "x"); path != want {
			t.Errorf("%s, want %s", path, want)
		}
	})
	var skipped bool
	t.Run("unset", func(t *testing.T) {
		t.Cleanup(func() { skipped = t.Skipped() })
		t.Setenv("EDGELENS_TEST_SHARED", "")
		t.Errorf("it returned %q", testutil.Shared(t, "models"))
	})
	if !skipped {
		t.Error("without the folder the test is not skipped")
	}
}
