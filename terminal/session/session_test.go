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
	"edgelens/terminal/session"
)

func TestUnconfirmedComesAgainAfterAReconnect(t *testing.T) {
	broker := startBroker(t)
	var ear ear
	ear.confirm = func(m session.Message) bool { return string(m.Payload) == "1" } // acknowledgements go out in order
	up := connected(t, session.Config{Address: broker.address, ClientID: "up", Lasting: time.Hour, Subscriptions: subscribe("x"), OnMessage: ear.hear})
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	for n := 1; n <= 3; n++ {
		say(t, down, "x", fmt.Sprint(n))
	}
	eventually(t, "all came", func() bool { return len(ear.heard()) == 3 })
	// That the confirmation has left, only a second look at the broker tells:
	// it keeps what it does on the disk, within a second.
	waitForDisk(t)
	ear.mu.Lock()
	ear.confirm = nil
	ear.mu.Unlock()
	ear.forget()
	broker.killed(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("up %v (fault %v), down %v (fault %v), heard %v", up.Up(), up.LastError(), down.Up(), down.LastError(), ear.heard())
		}
	})
	eventually(t, "the others came again", func() bool { return ear.has("2") && ear.has("3") })
	eventually(t, "both are back", func() bool { return up.Up() && down.Up() })
	say(t, down, "x", "4")
	eventually(t, "new ones come", func() bool { return ear.has("4") })
	if ear.has("1") {
		t.Errorf("confirmed, and came again: %v", ear.heard())
	}
}

// waitForDisk waits until mosquitto has surely written what it knows.
func waitForDisk(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(2500 * time.Millisecond): // autosave_interval is 1 s, and nothing says when
	case <-t.Context().Done():
	}
}

func TestMessagesWaitWhileWeAreAway(t *testing.T) {
	broker := startBroker(t)
	var before, after ear
	config := session.Config{Address: broker.address, ClientID: "up", Lasting: time.Hour, Subscriptions: subscribe("x"), OnMessage: before.hear}
	stop(t, connected(t, config))
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	for n := range 20 {
		say(t, down, "x", fmt.Sprint(n))
	}
	config.OnMessage = after.hear
	connected(t, config)
	eventually(t, "all came", func() bool { return len(after.heard()) == 20 })
	if heard := after.heard(); heard[0] != "0" || heard[19] != "19" {
		t.Errorf("out of order: %v", heard)
	}
}

func TestRetainedIsMarked(t *testing.T) {
	broker := startBroker(t)
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	if err := down.Publish(t.Context(), session.Outgoing{Topic: "x", Payload: []byte("old"), QoS: 1, Retain: true}); err != nil && !errors.Is(err, session.ErrNoSubscriber) {
		t.Fatal(err)
	}
	var ear ear
	connected(t, session.Config{Address: broker.address, ClientID: "up", Subscriptions: subscribe("x"), OnMessage: ear.hear})
	say(t, down, "x", "new")
	eventually(t, "both came", func() bool { return len(ear.heard()) == 2 })
	for _, m := range ear.messages {
		if want := string(m.Payload) == "old"; m.Retained != want {
			t.Errorf("%s: retained %v", m.Payload, m.Retained)
		}
	}
}

func TestPublishSaysWhatBecameOfIt(t *testing.T) {
	broker := startBroker(t)
	s := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "nobody", QoS: 1}); !errors.Is(err, session.ErrNoSubscriber) {
		t.Errorf("nobody listens: %v", err)
	}
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "nobody"}); err != nil {
		t.Errorf("QoS 0: %v", err)
	}
	if err := broker.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is down", func() bool { return !s.Up() })
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "x", QoS: 1}); !errors.Is(err, session.ErrOffline) {
		t.Errorf("offline: %v", err)
	}
	eventually(t, "it says why", func() bool { return s.LastError() != nil })
}

func TestWithoutConfirmationNoMoreThanTheReceiveMaximum(t *testing.T) {
	broker := startBroker(t)
	var ear ear
	ear.confirm = func(session.Message) bool { return false }
	connected(t, session.Config{Address: broker.address, ClientID: "up", Lasting: time.Hour, ReceiveMaximum: 4, Subscriptions: subscribe("x"), OnMessage: ear.hear})
	var last ear2
	connected(t, session.Config{Address: broker.address, ClientID: "other", AckAtOnce: true, Subscriptions: subscribe("x"), OnMessage: last.hear})
	down := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	for n := range 50 {
		say(t, down, "x", fmt.Sprint(n))
	}
	eventually(t, "all came to another", func() bool { return last.n.Load() == 50 }) // without a bound: it confirms at once
	if n := len(ear.heard()); n != 4 {
		t.Fatalf("%d messages are unconfirmed, want 4", n)
	}
	ear.mu.Lock()
	ear.confirm = nil
	for _, m := range ear.messages {
		m.Ack()
		m.Ack() // a second time does nothing
	}
	ear.mu.Unlock()
	eventually(t, "the others came", func() bool { return len(ear.heard()) == 50 })
}

type ear2 struct{ n atomic.Int64 }

func (e *ear2) hear(session.Message) { e.n.Add(1) }

func TestWill(t *testing.T) {
	broker := startBroker(t)
	var ear ear
	connected(t, session.Config{Address: broker.address, ClientID: "watcher", Subscriptions: subscribe("status/+"), OnMessage: ear.hear})
	will := func(name string) session.Config {
		return session.Config{Address: broker.address, ClientID: name, Will: &session.Outgoing{Topic: "status/" + name, Payload: []byte(name + " is gone"), QoS: 1}}
	}
	polite := connected(t, will("polite"))
	connected(t, will("robbed"))
	stop(t, polite)
	// Another of the same name: the broker throws the first one out.
	connected(t, session.Config{Address: broker.address, ClientID: "robbed", Lasting: time.Second})
	eventually(t, "the will came", func() bool { return ear.has("robbed is gone") })
	if ear.has("polite is gone") {
		t.Error("the will of one that said goodbye came")
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
	eventually(t, "it began", func() bool { return begun.Load() == 1 })
	broker.killed(t)
	eventually(t, "it began again", func() bool { return begun.Load() == 2 && ended.Load() == 1 })
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
	listen := ""
	startBroker(t, func(c *supervise.MosquittoConfig) { c.PasswordFile, listen = passwords, c.Listen })
	var log logbook
	s := start(t, session.Config{Address: at(t, "mqtt://door:wrong-one@"+listen), ClientID: "a"}, log.logger())
	eventually(t, "it is said, and tried again", func() bool {
		return log.has("check the user name and the password") && log.has("attempts=2")
	})
	if err := s.LastError(); err == nil || s.Up() {
		t.Errorf("fault %v, up %v", err, s.Up())
	}
	connected(t, session.Config{Address: at(t, "mqtt://door:right-one@"+listen), ClientID: "b"})
	if log.has("wrong-one") || log.has("right-one") {
		t.Errorf("a password is in the log:\n%s", log.text.String())
	}
}

// impostor accepts connections and hands each to serve, which it is ended with.
func impostor(t *testing.T, serve func(net.Conn)) session.Address {
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

func impatient(t *testing.T, config session.Config) *session.Session {
	t.Helper()
	s, err := session.StartImpatient(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func TestBrokerThatSaysNothing(t *testing.T) {
	var came atomic.Int64
	s := impatient(t, session.Config{ClientID: "a", Address: impostor(t, func(conn net.Conn) {
		came.Add(1)
		_, _ = io.Copy(io.Discard, conn)
	})})
	eventually(t, "it is given up and tried again", func() bool { return came.Load() >= 3 })
	if s.Up() || s.LastError() == nil {
		t.Errorf("up %v, fault %v", s.Up(), s.LastError())
	}
}

// connack lets a client in: MQTT 5, 3.2, with no properties.
var connack = []byte{0x20, 3, 0, 0, 0}

// letIn reads a CONNECT of less than 128 bytes and answers it.
func letIn(conn net.Conn) {
	var head [2]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, conn, int64(head[1]))
	_, _ = conn.Write(connack)
}

func TestBrokerThatStopsReading(t *testing.T) {
	var came atomic.Int64
	s := impatient(t, session.Config{ClientID: "a", Address: impostor(t, func(conn net.Conn) {
		came.Add(1)
		letIn(conn)
	})})
	eventually(t, "it is let in", s.Up)
	large := make([]byte, 32<<20) // more than the buffers of both sides
	begin := time.Now()
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "x", Payload: large, QoS: 1}); err == nil {
		t.Error("it was published")
	}
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it was waited for %v", took)
	}
	eventually(t, "it is tried again", func() bool { return came.Load() >= 2 })
}

func TestBrokerThatGoesSilent(t *testing.T) {
	var came atomic.Int64
	impatient(t, session.Config{ClientID: "a", Address: impostor(t, func(conn net.Conn) {
		came.Add(1)
		letIn(conn)
		_, _ = io.Copy(io.Discard, conn)
	})})
	eventually(t, "no sign of life: it is given up", func() bool { return came.Load() >= 2 })
}

// TestCutOffIsNotSentAgain: a broker takes a message and dies before it confirms.
func TestCutOffIsNotSentAgain(t *testing.T) {
	var mu sync.Mutex
	var came [][]byte
	cut := make(chan struct{})
	s := impatient(t, session.Config{ClientID: "a", Address: impostor(t, func(conn net.Conn) {
		letIn(conn)
		mu.Lock()
		n := len(came)
		came = append(came, nil)
		mu.Unlock()
		buffer := make([]byte, 4096)
		for {
			size, err := conn.Read(buffer)
			if err != nil {
				return
			}
			mu.Lock()
			came[n] = append(came[n], buffer[:size]...)
			took := slices.Contains(buffer[:size], 0x32) // PUBLISH of QoS 1
			mu.Unlock()
			if n == 0 && took {
				_ = conn.Close()
				close(cut)
				return
			}
		}
	})})
	eventually(t, "it is let in", s.Up)
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "door", Payload: []byte("open"), QoS: 1}); err == nil || errors.Is(err, session.ErrOffline) {
		t.Errorf("the broker may have it: %v", err)
	}
	<-cut
	eventually(t, "it is back, and gave a sign of life", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(came) >= 2 && len(came[1]) > 0 && s.Up() || len(came) > 2
	})
	mu.Lock()
	defer mu.Unlock()
	for n, bytes := range came[1:] {
		if slices.Contains(bytes, 0x3a) || slices.Contains(bytes, 0x32) { // PUBLISH, DUP or not
			t.Errorf("connection %d got % x", n+2, bytes)
		}
	}
}

func TestStopWithoutABroker(t *testing.T) {
	s := start(t, session.Config{ClientID: "a", Address: at(t, "mqtt://127.0.0.1:1")})
	eventually(t, "it failed", func() bool { return s.LastError() != nil })
	stop(t, s)
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "x"}); !errors.Is(err, session.ErrOffline) {
		t.Errorf("%v", err)
	}
}
