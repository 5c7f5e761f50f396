package supervise_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

// This test binary is also the children and the parents of the tests: its environment selects the role.
const roleVariable = "EDGELENS_TEST_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		goleak.VerifyTestMain(m)
		return
	}
	play, known := roles[role]
	if !known {
		fmt.Println("no such role:", role)
		os.Exit(2)
	}
	play()
}

// roles are the roles of a child. One that listens does so on "sock".
var roles = map[string]func(){
	"serve": func() {
		fmt.Println("secret:", os.Getenv("EDGELENS_TEST_SECRET"))
		fmt.Print("no end of line")
		listen()
		forever()
	},
	"stubborn": func() {
		signal.Ignore(syscall.SIGTERM)
		listen()
		forever()
	},
	"fork": func() { // has a child of its own that holds its output
		sleep := exec.Command("sleep", "1000")
		sleep.Stdout, sleep.Stderr = os.Stdout, os.Stderr
		if err := sleep.Start(); err != nil {
			panic(err)
		}
		if err := os.WriteFile("grandchild", []byte(strconv.Itoa(sleep.Process.Pid)), 0o600); err != nil {
			panic(err)
		}
		listen()
		forever()
	},
	"die": func() {
		for i := range 30 {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		os.Exit(7)
	},
	"crash": func() { // as a C program does: Go would catch it
		panic(syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -ABRT $$"}, nil))
	},
	"mute":         func() { fmt.Println("thinking"); forever() },
	"once":         func() { listenOnce(); os.Exit(3) },
	"redis parent": redisParent,
}

// forever waits to be killed. An empty select would be a deadlock to Go.
func forever() { time.Sleep(time.Hour) }

func listen() {
	_ = os.Remove("sock")
	listener, err := net.Listen("unix", "sock")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			if conn, err := listener.Accept(); err == nil {
				_ = conn.Close()
			}
		}
	}()
}

// listenOnce listens for one connection.
func listenOnce() {
	_ = os.Remove("sock")
	listener, err := net.Listen("unix", "sock")
	if err != nil {
		panic(err)
	}
	if conn, err := listener.Accept(); err == nil {
		_ = conn.Close()
	}
}

// spec returns a child of that role in a folder of its own.
func spec(t *testing.T, role string) supervise.Spec {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := testutil.ShortDir(t)
	return supervise.Spec{
		Name:    "testserver",
		Path:    self,
		Env:     []string{roleVariable + "=" + role, "PATH=" + os.Getenv("PATH"), "GORACE=" + os.Getenv("GORACE")},
		Dir:     dir,
		Backoff: supervise.Backoff{Min: time.Millisecond, Max: 50 * time.Millisecond},
		Log:     quiet,
		Ready: func(ctx context.Context) error {
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "unix", filepath.Join(dir, "sock"))
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}
}

// start starts a child that is stopped with the test.
func start(t *testing.T, spec supervise.Spec) *supervise.Process {
	t.Helper()
	p := supervise.New(spec)
	stopAfter(t, p)
	if err := p.Start(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	return p
}

func stopAfter(t testing.TB, p interface{ Stop(context.Context) error }) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// until waits by Changed for a state of p.
func until(t testing.TB, p *supervise.Process, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		changed := p.Changed()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("never happened: %s (up %v, restarts %d, pid %d)", what, p.Up(), p.Restarts(), p.PID())
		}
	}
}

func kill(t testing.TB, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("there is no process %d to kill", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.HasPrefix(string(stat[bytes.LastIndexByte(stat, ')'):]), ") Z ")
}

func quietLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

var quiet = quietLog()
