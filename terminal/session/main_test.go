package session_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(stoppedChild); address != "" {
		runStoppedChild(address)
		return
	}
	goleak.VerifyTestMain(m)
}

// server is a real mosquitto.
type server struct {
	*supervisetest.Mosquitto
	address session.Address
}

func startBroker(t *testing.T, change ...func(*supervise.MosquittoConfig)) server {
	t.Helper()
	m := supervisetest.StartMosquitto(t, change...)
	return server{m, at(t, m.OpenURL())}
}

// killed kills the broker and waits until it has been restarted.
func (s server) killed(t *testing.T) {
	t.Helper()
	before := s.PID()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "the broker is restarted", func() bool { return s.Up() && s.PID() != before })
}

func at(t *testing.T, url string) session.Address {
	t.Helper()
	address, err := session.ParseAddress(url, "")
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// collector collects messages and acknowledges those that confirm selects.
type collector struct {
	mu       sync.Mutex
	messages []session.Message
	confirm  func(session.Message) bool
}

func (c *collector) onMessage(m session.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, m)
	if c.confirm == nil || c.confirm(m) {
		m.Ack()
	}
}

func (c *collector) texts() (texts []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.messages {
		texts = append(texts, string(m.Payload))
	}
	return texts
}

func (c *collector) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = nil
}

func (c *collector) first() session.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.messages[0]
}

func (c *collector) last() session.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.messages[len(c.messages)-1]
}

func (c *collector) has(text string) bool { return slices.Contains(c.texts(), text) }

func start(t *testing.T, config session.Config, log ...*slog.Logger) *session.Session {
	t.Helper()
	s, err := session.Start(config, append(log, slog.New(slog.DiscardHandler))[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// connected starts a session that is up.
func connected(t *testing.T, config session.Config) *session.Session {
	t.Helper()
	s := start(t, config)
	testutil.Eventually(t, config.ClientID+" is connected", s.Up)
	return s
}

func stop(t *testing.T, s *session.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func publish(t *testing.T, s *session.Session, topic, text string) {
	t.Helper()
	if err := s.Publish(t.Context(), session.Outgoing{Topic: topic, Payload: []byte(text), QoS: 1}); err != nil {
		t.Fatalf("publish %s: %v", text, err)
	}
}

func subscribe(filter string) []session.Subscription {
	return []session.Subscription{{Filter: filter, QoS: 1}}
}
