package session_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

// setClocks are clocks that the test sets.
type setClocks struct {
	mu     sync.Mutex
	booted time.Duration
	wall   time.Time
}

func (c *setClocks) read() (time.Duration, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.booted, c.wall
}

func (c *setClocks) advance(booted, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.booted, c.wall = c.booted+booted, c.wall.Add(wall)
}

// Messages read after a pause of the process may have waited, until a marker returns that
// was sent after it.
func TestPause(t *testing.T) {
	tests := map[string]struct {
		booted, wall time.Duration
		paused       bool
	}{
		"stopped":                    {time.Minute, time.Minute, true},
		"suspended":                  {time.Minute, 0, true},
		"a virtual machine's clock":  {0, time.Minute, true},
		"just above the threshold":   {6*time.Second + 1, 0, true},
		"a late check":               {6 * time.Second, 6 * time.Second, false},
		"the wall clock is set back": {time.Second, -time.Hour, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			broker := startBroker(t)
			clocks := &setClocks{wall: time.Now()}
			var received collector
			var log testutil.LogBuffer
			s, err := session.StartWithClocks(session.Config{
				Address: broker.address, ClientID: "up", Lasting: time.Hour, Marker: "marker", Subscriptions: subscribe("x"), OnMessage: received.onMessage,
			}, log.Logger(), clocks.read)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { stop(t, s) })
			testutil.Eventually(t, "it is connected", s.Up)
			down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
			settled(t, &received, down)
			received.forget()

			clocks.advance(test.booted, test.wall)
			publish(t, down, "x", "first")
			testutil.Eventually(t, "it arrived", func() bool { return received.has("first") })
			if first := received.first(); (first.Waited > 0) != test.paused || test.paused && first.Waited < 6*time.Second {
				t.Errorf("the first one waited %v", first.Waited)
			}
			settled(t, &received, down)
			if n := strings.Count(log.String(), "the process was paused"); (n == 1) != test.paused || n > 1 {
				t.Errorf("%d lines in the log", n)
			}
		})
	}
}

// settled waits until new messages count as not delayed.
func settled(t *testing.T, received *collector, down *session.Session) {
	t.Helper()
	n := 0
	testutil.Eventually(t, "new messages have not waited", func() bool {
		n++
		text := fmt.Sprint("settle ", n)
		publish(t, down, "x", text)
		testutil.Eventually(t, "it arrived", func() bool { return received.has(text) })
		return received.last().Waited == 0
	})
}

// stoppedChild is the environment variable that makes a child of TestStoppedProcess, with
// the address of its broker.
const stoppedChild = "EDGELENS_TEST_STOPPED_CHILD"

// runStoppedChild prints each message, and whether it may have waited, until its input ends.
func runStoppedChild(address string) {
	broker, err := session.ParseAddress(address, "")
	if err != nil {
		panic(err)
	}
	s, err := session.StartWithShortPauses(session.Config{
		Address: broker, ClientID: "child", Lasting: time.Hour, Marker: "marker", Subscriptions: subscribe("x"),
		OnMessage: func(m session.Message) {
			fmt.Printf("%s %v\n", m.Payload, m.Waited > 0)
			m.Ack()
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	_ = s.Stop(context.Background())
}

// A message that arrives while the process is stopped waits in the buffers of the connection.
func TestStoppedProcess(t *testing.T) {
	broker := startBroker(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), stoppedChild+"=mqtt://"+broker.Config.Listen)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Signal(syscall.SIGCONT)
		_ = in.Close()
		_ = child.Wait()
	})
	lines := make(chan string, 100)
	go func() { // ends with the child
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
		close(lines)
	}()
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	live := func(text string) {
		t.Helper()
		testutil.Eventually(t, "new messages have not waited", func() bool {
			if err := down.Publish(t.Context(), session.Outgoing{Topic: "x", Payload: []byte(text), QoS: 1}); err != nil {
				return false // not subscribed yet
			}
			return <-lines == text+" false"
		})
	}
	live("before")
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "it is stopped", func() bool { return isStopped(t, child.Process.Pid) })
	publish(t, down, "x", "meanwhile")
	select {
	case <-time.After(time.Second): // the duration of the pause is under test
	case <-t.Context().Done():
	}
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if line := <-lines; line != "meanwhile true" {
		t.Errorf("%q", line)
	}
	live("after")
}

// isStopped reports whether all threads of a process are stopped.
func isStopped(t *testing.T, pid int) bool {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(files) == 0 {
		t.Skip("there is no /proc")
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return true
}
