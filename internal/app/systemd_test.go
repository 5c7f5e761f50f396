//go:build cgo

package app

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/config"
	"edgelens/internal/testutil"
)

// manager is the socket of a service manager. It returns what was sent so far.
func manager(t *testing.T) (sent func() []string) {
	t.Helper()
	path := filepath.Join(testutil.ShortDir(t), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	var all []string
	return func() []string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 4096)
		for {
			n, err := socket.Read(buffer)
			if err != nil {
				return all
			}
			all = append(all, string(buffer[:n]))
		}
	}
}

// A service without clients reports that it serves, that it lives, by recognitions of its own, and that it stops; one
// without a model, too: a restart does not bring one.
func TestServeReportsToSystemd(t *testing.T) {
	for name, model := range map[string]bool{"with a model": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			sent := manager(t)
			t.Setenv("WATCHDOG_USEC", "400000")
			c := settings(t)
			if model {
				withColors(t, c)
			}
			s, log, stop := serving(t, c)
			signs := func() (n int) {
				for _, state := range sent() {
					if state == "WATCHDOG=1" {
						n++
					}
				}
				return n
			}
			testutil.Eventually(t, "three signs of life", func() bool { return signs() >= 3 })
			if got := sent(); got[0] != "READY=1\nSTATUS=Serving on "+s.url {
				t.Errorf("first %q", got[0])
			}
			if strings.Contains(log.String(), "msg=recognize") || strings.Contains(string(s.get("/metrics").body), "edgelens_requests_total{") {
				t.Errorf("own recognitions look like those of clients:\n%s", log)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if got := sent(); !slices.Contains(got, "STOPPING=1\nEXTEND_TIMEOUT_USEC=29000000") {
				t.Errorf("sent %q", got)
			}
		})
	}
}

// Recognitions of clients are signs of life: there are no others then.
func TestTrySucceedsAndIsNotCounted(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	if err := s.core.Try(t.Context()); err != nil {
		t.Error(err)
	}
	if n := s.core.recognizer.Computed(); n != 0 {
		t.Errorf("%d recognitions of clients after one of its own", n)
	}
	s.raw(path+"?cache=false", asJPEG(t, 100, 100))
	s.raw(path+"?cache=false", []byte("no image"))
	if n := s.core.recognizer.Computed(); n != 1 {
		t.Errorf("%d recognitions, want the one that succeeded", n)
	}
}

// systemd learns when the settings are read again, and when that is done, also where they have errors.
func TestReloadIsReportedToSystemd(t *testing.T) {
	sent := manager(t)
	c := settings(t)
	withColors(t, c)
	hangups, loaded := make(chan os.Signal), make(chan error, 1)
	s, _, _ := servingWith(t, c, Reload{Signals: hangups, Load: func() (*config.Config, error) { return c, <-loaded }})
	ready := "READY=1\nSTATUS=Serving on " + s.url
	testutil.Eventually(t, "it is ready", func() bool { return slices.Contains(sent(), ready) })
	for _, loadErr := range []error{nil, errors.New("listen must be host:port")} {
		before := len(sent())
		loaded <- loadErr
		hangups <- syscall.SIGHUP
		testutil.Eventually(t, "the reload is over", func() bool { return len(sent()) == before+2 })
		if got := sent()[before:]; !strings.HasPrefix(got[0], "RELOADING=1\nMONOTONIC_USEC=") || got[1] != ready {
			t.Errorf("with the error %v: sent %q", loadErr, got)
		}
	}
}
