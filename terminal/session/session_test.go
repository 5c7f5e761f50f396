package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

func TestUnacknowledgedIsResentAfterReconnect(t *testing.T) {
	broker := startBroker(t)
	var received collector
	received.confirm = func(m session.Message) bool { return string(m.Payload) == "1" } // acknowledgements go out in order
	up := connected(t, session.Config{Address: broker.address, ClientID: "up", Lasting: time.Hour, Subscriptions: subscribe("x"), OnMessage: received.onMessage})
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	for n := 1; n <= 3; n++ {
		publish(t, down, "x", fmt.Sprint(n))
	}
	testutil.Eventually(t, "all arrived", func() bool { return len(received.texts()) == 3 })
	// Whether the broker has received the acknowledgement can only be seen on its disk,
	// where it writes within a second.
	waitForDisk(t)
	received.mu.Lock()
	received.confirm = nil
	received.mu.Unlock()
	received.forget()
	broker.killed(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("up %v (error %v), down %v (error %v), received %v", up.Up(), up.LastError(), down.Up(), down.LastError(), received.texts())
		}
	})
	testutil.Eventually(t, "the others are resent", func() bool { return received.has("2") && received.has("3") })
	testutil.Eventually(t, "both are reconnected", func() bool { return up.Up() && down.Up() })
	publish(t, down, "x", "4")
	testutil.Eventually(t, "new messages arrive", func() bool { return received.has("4") })
	if received.has("1") {
		t.Errorf("acknowledged, but resent: %v", received.texts())
	}
}

// waitForDisk waits until mosquitto has written its state.
func waitForDisk(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(2500 * time.Millisecond): // autosave_interval is 1 s, and it does not report when
	case <-t.Context().Done():
	}
}

func TestBrokerKeepsMessagesWhileDisconnected(t *testing.T) {
	broker := startBroker(t)
	var before, after collector
	config := session.Config{Address: broker.address, ClientID: "up", Lasting: time.Hour, Subscriptions: subscribe("x"), OnMessage: before.onMessage}
	stop(t, connected(t, config))
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	for n := range 20 {
		publish(t, down, "x", fmt.Sprint(n))
	}
	config.OnMessage = after.onMessage
	connected(t, config)
	testutil.Eventually(t, "all arrived", func() bool { return len(after.texts()) == 20 })
	if texts := after.texts(); texts[0] != "0" || texts[19] != "19" {
		t.Errorf("out of order: %v", texts)
	}
}

func TestRetainedIsMarked(t *testing.T) {
	broker := startBroker(t)
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	if err := down.Publish(t.Context(), session.Outgoing{Topic: "x", Payload: []byte("old"), QoS: 1, Retain: true}); err != nil && !errors.Is(err, session.ErrNoSubscriber) {
		t.Fatal(err)
	}
	var received collector
	connected(t, session.Config{Address: broker.address, ClientID: "up", Subscriptions: subscribe("x"), OnMessage: received.onMessage})
	publish(t, down, "x", "new")
	testutil.Eventually(t, "both arrived", func() bool { return len(received.texts()) == 2 })
	for _, m := range received.messages {
		if want := string(m.Payload) == "old"; m.Retained != want {
			t.Errorf("%s: retained %v", m.Payload, m.Retained)
		}
	}
}

func TestPublishErrors(t *testing.T) {
	broker := startBroker(t)
	s := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "unsubscribed", QoS: 1}); !errors.Is(err, session.ErrNoSubscriber) {
		t.Errorf("no subscriber: %v", err)
	}
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "unsubscribed"}); err != nil {
		t.Errorf("QoS 0: %v", err)
	}
	if err := broker.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	testutil.Eventually(t, "it is down", func() bool { return !s.Up() })
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "x", QoS: 1}); !errors.Is(err, session.ErrOffline) {
		t.Errorf("offline: %v", err)
	}
	testutil.Eventually(t, "LastError has the reason", func() bool { return s.LastError() != nil })
}

func TestReceiveMaximumLimitsUnacknowledged(t *testing.T) {
	broker := startBroker(t)
	var received collector
	received.confirm = func(session.Message) bool { return false }
	connected(t, session.Config{Address: broker.address, ClientID: "up", Lasting: time.Hour, ReceiveMaximum: 4, Subscriptions: subscribe("x"), OnMessage: received.onMessage})
	var last counter
	connected(t, session.Config{Address: broker.address, ClientID: "other", AckAtOnce: true, Subscriptions: subscribe("x"), OnMessage: last.onMessage})
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	for n := range 50 {
		publish(t, down, "x", fmt.Sprint(n))
	}
	testutil.Eventually(t, "all arrived at another", func() bool { return last.n.Load() == 50 }) // unlimited: it acknowledges at once
	if n := len(received.texts()); n != 4 {
		t.Fatalf("%d messages are unacknowledged, want 4", n)
	}
	received.mu.Lock()
	received.confirm = nil
	for _, m := range received.messages {
		m.Ack()
		m.Ack() // a second time does nothing
	}
	received.mu.Unlock()
	testutil.Eventually(t, "the others arrived", func() bool { return len(received.texts()) == 50 })
}

type counter struct{ n atomic.Int64 }

func (c *counter) onMessage(session.Message) { c.n.Add(1) }

func TestWill(t *testing.T) {
	broker := startBroker(t)
	var received collector
	connected(t, session.Config{Address: broker.address, ClientID: "watcher", Subscriptions: subscribe("status/+"), OnMessage: received.onMessage})
	will := func(name string) session.Config {
		return session.Config{Address: broker.address, ClientID: name, Will: &session.Outgoing{Topic: "status/" + name, Payload: []byte(name + " is gone"), QoS: 1}}
	}
	clean := connected(t, will("clean"))
	connected(t, will("replaced"))
	stop(t, clean)
	// Another client with the same id: the broker disconnects the first one.
	connected(t, session.Config{Address: broker.address, ClientID: "replaced", Lasting: time.Second})
	testutil.Eventually(t, "the will arrived", func() bool { return received.has("replaced is gone") })
	if received.has("clean is gone") {
		t.Error("the will of a client that disconnected cleanly was published")
	}
}

func TestOnUpEndsWithTheConnection(t *testing.T) {
	broker := startBroker(t)
	var begun, ended atomic.Int64
	s := start(t, session.Config{Address: broker.address, ClientID: "up", OnUp: func(ctx context.Context) {
		begun.Add(1)
		<-ctx.Done()
		ended.Add(1)
	}})
	testutil.Eventually(t, "it began", func() bool { return begun.Load() == 1 })
	broker.killed(t)
	testutil.Eventually(t, "it began again", func() bool { return begun.Load() == 2 && ended.Load() == 1 })
	stop(t, s)
	if ended.Load() != 2 {
		t.Errorf("began %d times, ended %d times", begun.Load(), ended.Load())
	}
}

func TestRefusedLogin(t *testing.T) {
	if _, err := exec.LookPath("mosquitto_passwd"); err != nil {
		t.Skip("there is no mosquitto_passwd; `make setup` installs mosquitto")
	}
	passwords := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(passwords, []byte("door:right-one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mosquitto_passwd", "-U", passwords).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	listen := startBroker(t, func(c *supervise.MosquittoConfig) { c.PasswordFile = passwords }).Config.Listen
	var log testutil.LogBuffer
	s := start(t, session.Config{Address: at(t, "mqtt://door:wrong-one@"+listen), ClientID: "a"}, log.Logger())
	testutil.Eventually(t, "it is logged and retried", func() bool {
		return log.Contains("check the user name and the password") && log.Contains("attempts=2")
	})
	if err := s.LastError(); err == nil || s.Up() {
		t.Errorf("error %v, up %v", err, s.Up())
	}
	connected(t, session.Config{Address: at(t, "mqtt://door:right-one@"+listen), ClientID: "b"})
	if log.Contains("wrong-one") || log.Contains("right-one") {
		t.Errorf("a password is in the log:\n%s", log.String())
	}
}

// fakeBroker accepts connections and passes each to serve; the test ends both.
func fakeBroker(t *testing.T, serve func(net.Conn)) session.Address {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			running.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return at(t, "mqtt://"+listener.Addr().String())
}

func startWithShortTimeouts(t *testing.T, config session.Config) *session.Session {
	t.Helper()
	s, err := session.StartWithShortTimeouts(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func TestBrokerWithoutConnack(t *testing.T) {
	t.Parallel()
	var received atomic.Int64
	s := startWithShortTimeouts(t, session.Config{ClientID: "a", Address: fakeBroker(t, func(conn net.Conn) {
		received.Add(1)
		_, _ = io.Copy(io.Discard, conn)
	})})
	testutil.Eventually(t, "the client gives up and retries", func() bool { return received.Load() >= 3 })
	if s.Up() || s.LastError() == nil {
		t.Errorf("up %v, error %v", s.Up(), s.LastError())
	}
}

// connack accepts a client: MQTT 5, 3.2, with no properties.
var connack = []byte{0x20, 3, 0, 0, 0}

// accept reads a CONNECT of less than 128 bytes and answers it.
func accept(conn net.Conn) {
	var head [2]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, conn, int64(head[1]))
	_, _ = conn.Write(connack)
}

func TestBrokerThatStopsReading(t *testing.T) {
	t.Parallel()
	var received atomic.Int64
	s := startWithShortTimeouts(t, session.Config{ClientID: "a", Address: fakeBroker(t, func(conn net.Conn) {
		received.Add(1)
		accept(conn)
	})})
	testutil.Eventually(t, "it is connected", s.Up)
	large := make([]byte, 32<<20) // more than the buffers of both sides
	begin := time.Now()
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "x", Payload: large, QoS: 1}); err == nil {
		t.Error("it was published")
	}
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("Publish blocked for %v", took)
	}
	testutil.Eventually(t, "it reconnects", func() bool { return received.Load() >= 2 })
}

func TestBrokerThatStopsAnswering(t *testing.T) {
	t.Parallel()
	var received atomic.Int64
	startWithShortTimeouts(t, session.Config{ClientID: "a", Address: fakeBroker(t, func(conn net.Conn) {
		received.Add(1)
		accept(conn)
		_, _ = io.Copy(io.Discard, conn)
	})})
	testutil.Eventually(t, "the silent connection is given up", func() bool { return received.Load() >= 2 })
}

// The broker receives a message and disconnects before it acknowledges.
func TestInterruptedPublishIsNotResent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var received [][]byte
	cut := make(chan struct{})
	s := startWithShortTimeouts(t, session.Config{ClientID: "a", Address: fakeBroker(t, func(conn net.Conn) {
		accept(conn)
		mu.Lock()
		n := len(received)
		received = append(received, nil)
		mu.Unlock()
		buffer := make([]byte, 4096)
		for {
			size, err := conn.Read(buffer)
			if err != nil {
				return
			}
			mu.Lock()
			received[n] = append(received[n], buffer[:size]...)
			took := slices.Contains(buffer[:size], 0x32) // PUBLISH of QoS 1
			mu.Unlock()
			if n == 0 && took {
				_ = conn.Close()
				close(cut)
				return
			}
		}
	})})
	testutil.Eventually(t, "it is connected", s.Up)
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "door", Payload: []byte("open"), QoS: 1}); err == nil || errors.Is(err, session.ErrOffline) {
		t.Errorf("the broker may have received it: %v", err)
	}
	<-cut
	testutil.Eventually(t, "it is reconnected, and sent a packet", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(received) >= 2 && len(received[1]) > 0 && s.Up() || len(received) > 2
	})
	mu.Lock()
	defer mu.Unlock()
	for n, bytes := range received[1:] {
		if slices.Contains(bytes, 0x3a) || slices.Contains(bytes, 0x32) { // PUBLISH, DUP or not
			t.Errorf("connection %d got % x", n+2, bytes)
		}
	}
}

func TestStopWithoutABroker(t *testing.T) {
	s := start(t, session.Config{ClientID: "a", Address: at(t, "mqtt://127.0.0.1:1")})
	testutil.Eventually(t, "it failed", func() bool { return s.LastError() != nil })
	stop(t, s)
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "x"}); !errors.Is(err, session.ErrOffline) {
		t.Errorf("%v", err)
	}
}
