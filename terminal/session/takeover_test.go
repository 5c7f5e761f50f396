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

	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

// Two clients with one identity do not displace each other endlessly, and both report the
// problem. Mosquitto 2.0.11 closes the connection without DISCONNECT.
func TestTwoClientsWithOneIdentity(t *testing.T) {
	broker := startBroker(t)
	log := &testutil.LogBuffer{}
	config := session.Config{Address: broker.address, ClientID: "node-up", Lasting: time.Hour}
	var connections atomic.Int32
	config.OnUp = func(ctx context.Context) { connections.Add(1) }
	first := start(t, config, log.Logger())
	testutil.Eventually(t, "it is up", first.Up)
	if err := first.TakenOver(); err != nil {
		t.Errorf("at first: %v", err)
	}
	second := start(t, config)
	testutil.Eventually(t, "both report it", func() bool { return first.TakenOver() != nil && second.TakenOver() != nil })
	if err := first.TakenOver(); !strings.Contains(err.Error(), "node-up") || !strings.Contains(err.Error(), `"node"`) {
		t.Errorf("%v, want the client id and what to do", err)
	}
	if !log.Contains("level=ERROR") || !log.Contains("client_id=node-up") {
		t.Error("the log does not report it")
	}
	before := connections.Load()
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if n := connections.Load() - before; n > 6 {
			t.Fatalf("%d connections in 3 s, after %d", n, before)
		}
	}
}

// After a DISCONNECT with "session taken over" (MQTT 5, 3.14.2.1) the client waits before
// it reconnects.
func TestTakenOver(t *testing.T) {
	t.Parallel()
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
	log := &testutil.LogBuffer{}
	s := start(t, session.Config{Address: at(t, "mqtt://"+listener.Addr().String()), ClientID: "node-up"}, log.Logger())
	testutil.Eventually(t, "it is reported", func() bool { return s.TakenOver() != nil })
	testutil.Eventually(t, "it is logged", func() bool { return log.Contains("event=session_taken_over") })
	for until := time.Now().Add(2 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if n := connections.Load(); n > 1 {
			t.Fatalf("%d connections", n)
		}
	}
	testutil.Eventually(t, "it reconnects after the wait", func() bool { return connections.Load() == 2 })
}
