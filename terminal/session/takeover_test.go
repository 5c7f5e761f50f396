package session_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgelens/terminal/session"
)

// Two with one identity do not throw each other out again and again, and both
// say what is wrong. Mosquitto 2.0.11 says nothing when it gives a session away.
func TestTwoWithOneIdentity(t *testing.T) {
	broker := startBroker(t)
	log := &logbook{}
	config := session.Config{Address: broker.address, ClientID: "node-up", Lasting: time.Hour}
	var connections atomic.Int32
	config.OnUp = func(ctx context.Context) { connections.Add(1) }
	first := start(t, config, log.logger())
	eventually(t, "it is up", first.Up)
	if err := first.TakenOver(); err != nil {
		t.Errorf("at first: %v", err)
	}
	second := start(t, config)
	eventually(t, "both know", func() bool { return first.TakenOver() != nil && second.TakenOver() != nil })
	if err := first.TakenOver(); !strings.Contains(err.Error(), "node-up") || !strings.Contains(err.Error(), `"node"`) {
		t.Errorf("%v, want the client id and what to do", err)
	}
	if !log.has("level=ERROR") || !log.has("client_id=node-up") {
		t.Error("the log does not say it")
	}
	before := connections.Load()
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if n := connections.Load() - before; n > 6 {
			t.Fatalf("%d connections in a moment, after %d", n, before)
		}
	}
}

// A broker that says that the session was taken over (MQTT 5, 3.14.2.1) is not
// connected to again at once.
func TestTakenOver(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var connections atomic.Int32
	serving := make(chan struct{})
	go func() {
		defer close(serving)
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			connections.Add(1)
			buffer := make([]byte, 1000)
			if _, err := conn.Read(buffer); err == nil { // CONNECT
				_, _ = conn.Write([]byte{0x20, 3, 0, 0, 0}) // CONNACK
				_, _ = conn.Write([]byte{0xe0, 2, 0x8e, 0}) // DISCONNECT
				_, _ = io.Copy(io.Discard, conn)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-serving })
	log := &logbook{}
	s := start(t, session.Config{Address: at(t, "mqtt://"+listener.Addr().String()), ClientID: "node-up"}, log.logger())
	eventually(t, "it knows", func() bool { return s.TakenOver() != nil })
	eventually(t, "it says so", func() bool { return log.has("taken the session over") })
	for until := time.Now().Add(2 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if n := connections.Load(); n > 1 {
			t.Fatalf("%d connections", n)
		}
	}
	eventually(t, "it comes again after a while", func() bool { return connections.Load() == 2 })
}
