package systemd_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgelens/internal/systemd"
	"edgelens/internal/testutil"
)

// listen makes the socket of a service manager, and returns what is sent to it.
func listen(t *testing.T) (next func() string) {
	t.Helper()
	path := filepath.Join(testutil.ShortDir(t), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func() string {
		t.Helper()
		buffer := make([]byte, 4096)
		if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
}

func TestReports(t *testing.T) {
	next := listen(t)
	log := &testutil.LogBuffer{}
	m := systemd.Find(log.Logger())
	for _, test := range []struct {
		report func()
		want   string
	}{
		{func() { m.Ready("Serving on http://127.0.0.1:8080") }, "READY=1\nSTATUS=Serving on http://127.0.0.1:8080"},
		{m.Alive, "WATCHDOG=1"},
		{func() { m.Stopping(9 * time.Second) }, "STOPPING=1\nEXTEND_TIMEOUT_USEC=9000000"},
	} {
		test.report()
		if got := next(); got != test.want {
			t.Errorf("sent %q, want %q", got, test.want)
		}
	}
	if log.String() != "" {
		t.Errorf("logged %s", log)
	}
}

func TestWatchdogTimeout(t *testing.T) {
	us, other := strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid())
	for name, test := range map[string]struct {
		usec, pid string
		want      time.Duration
		warns     bool
	}{
		"none":                {"", "", 0, false},
		"this process":        {"120000000", us, 2 * time.Minute, false},
		"no process named":    {"1000000", "", time.Second, false},
		"another process":     {"1000000", other, 0, false},
		"not understood":      {"soon", us, 0, true},
		"no time":             {"0", us, 0, true},
		"a process unnatural": {"1000000", "x", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", test.usec)
			t.Setenv("WATCHDOG_PID", test.pid)
			log := &testutil.LogBuffer{}
			if got := systemd.Find(log.Logger()).WatchdogTimeout(); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
			if warned := strings.Contains(log.String(), "watchdog_unknown"); warned != test.warns {
				t.Errorf("warned: %v\n%s", warned, log)
			}
		})
	}
}

// Without systemd nothing happens; a socket that is gone is logged.
func TestWithoutManager(t *testing.T) {
	log := &testutil.LogBuffer{}
	t.Setenv("NOTIFY_SOCKET", "")
	systemd.Find(log.Logger()).Ready("x")
	var none *systemd.Manager
	none.Alive()
	none.Stopping(time.Second)
	if none.WatchdogTimeout() != 0 || log.String() != "" {
		t.Errorf("%v, logged %s", none.WatchdogTimeout(), log)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	systemd.Find(log.Logger()).Alive()
	if !strings.Contains(log.String(), "systemd_unreachable") {
		t.Errorf("logged %s", log)
	}
}
