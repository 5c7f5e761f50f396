package supervisetest

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"edgelens/internal/testutil"

	"github.com/redis/go-redis/v9"
)

// Server is one redis-server process, which can be ended and restarted at the same address. Its methods fail the test
// on an error.
type Server struct {
	// Address is the path of its socket, or host:port.
	Address string
	// Client is connected to this server.
	Client *redis.Client

	t       testing.TB
	program string
	options []string
	output  testutil.LogBuffer

	mu    sync.Mutex
	child *exec.Cmd // nil while it is down
}

// socketOf makes a server listen on a Unix socket in dir.
func socketOf(_ testing.TB, dir string) (address string, options []string) {
	socket := filepath.Join(dir, "s")
	return socket, []string{"--port", "0", "--unixsocket", socket}
}

// portOf makes a server listen on a free port of 127.0.0.1.
func portOf(t testing.TB, _ string) (address string, options []string) {
	port := freePort(t)
	return net.JoinHostPort("127.0.0.1", port), []string{"--bind", "127.0.0.1", "--port", port}
}

// newServer returns a server that is not started yet, in a folder of its own.
func newServer(t testing.TB, listen func(t testing.TB, dir string) (string, []string), options ...string) *Server {
	t.Helper()
	program := FindRedis(t)
	dir := testutil.ShortDir(t)
	address, where := listen(t, dir)
	s := &Server{Address: address, t: t, program: program}
	s.options = append(append(where, "--dir", dir, "--save", "", "--appendonly", "no"), options...)
	network := "tcp"
	if filepath.IsAbs(address) {
		network = "unix"
	}
	s.Client = redis.NewClient(&redis.Options{Network: network, Addr: address})
	t.Cleanup(func() {
		s.Kill()
		_ = s.Client.Close() // a test may have closed it
		if t.Failed() {
			t.Logf("the last output of redis-server at %s:\n%s", s.Address, lastLines(s.output.String(), 10))
		}
	})
	return s
}

// Start starts the server, for the first time or again, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	child := exec.Command(s.program, s.options...)
	child.Args[0] = "redis-server" // the program selects by its name
	child.Stdout, child.Stderr = &s.output, &s.output
	if err := child.Start(); err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	s.mu.Lock()
	s.child = child
	s.mu.Unlock()
	testutil.Eventually(s.t, "redis-server answers at "+s.Address, s.answers)
}

// answers reports whether the server runs, also where it requires a password.
func (s *Server) answers() bool {
	err := s.Client.Ping(context.Background()).Err()
	var refusal redis.Error
	return err == nil || errors.As(err, &refusal) && !strings.HasPrefix(err.Error(), "LOADING")
}

// Kill ends the server by SIGKILL. One that is down stays down.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the server in order. One that is down stays down.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal syscall.Signal) {
	s.mu.Lock()
	child := s.child
	s.child = nil
	s.mu.Unlock()
	if child != nil {
		_ = child.Process.Signal(signal) // it may have ended
		_ = child.Wait()                 // the status is the signal's
	}
}

func (s *Server) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child != nil
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
