package systemd_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// A reload is reported with its time, and its end with the status of before; neither before the service is ready nor
// once it stops.
func TestReportsReloads(t *testing.T) {
	next := listen(t)
	log := &testutil.LogBuffer{}
	m := systemd.Find(log.Logger())
	m.Reloading()() // nothing: the first report is the next one
	m.Ready("Serving")
	if got := next(); got != "READY=1\nSTATUS=Serving" {
		t.Errorf("sent %q", got)
	}
	before := monotonic(t)
	done := m.Reloading()
	var usec int64
	if got := next(); scan(got, "RELOADING=1\nMONOTONIC_USEC=%d", &usec) || usec < before || usec > monotonic(t) {
		t.Errorf("sent %q, after %d", got, before)
	}
	done()
	if got := next(); got != "READY=1\nSTATUS=Serving" {
		t.Errorf("sent %q", got)
	}
	done = m.Reloading()
	next()
	m.Stopping(time.Second)
	done()
	m.Reloading()()
	m.Alive()
	if got, after := next(), next(); !strings.HasPrefix(got, "STOPPING=1") || after != "WATCHDOG=1" {
		t.Errorf("sent %q and %q", got, after)
	}
	if log.String() != "" {
		t.Errorf("logged %s", log)
	}
}

// monotonic is CLOCK_MONOTONIC in microseconds, which systemd compares with.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

// scan reads a number, and reports whether the text has another form.
func scan(text, form string, number *int64) (differs bool) {
	n, err := fmt.Sscanf(text, form, number)
	return n != 1 || err != nil || fmt.Sprintf(form, *number) != text
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
	none.Ready("x")
	none.Reloading()()
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
