package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

func TestMaximumPacketSize(t *testing.T) {
	const limit = 3000
	broker := startBroker(t, func(c *supervise.MosquittoConfig) { c.MaxPacketBytes = limit })
	log := &testutil.LogBuffer{}
	s := start(t, session.Config{Address: broker.address, ClientID: "down"}, log.Logger())
	testutil.Eventually(t, "it is up", s.Up)
	testutil.Eventually(t, "the log has the limit", func() bool { return log.Contains("max_packet_bytes=3000") })
	var received collector
	connected(t, session.Config{Address: broker.address, ClientID: "up", Subscriptions: subscribe("x"), OnMessage: received.onMessage})
	message := session.Outgoing{Topic: "x", QoS: 1, Expiry: time.Minute}
	for over := range 12 { // around the limit, byte by byte, without a trace and with one
		if message.Trace = ""; over >= 6 {
			message.Trace, over = edgelens.NewTrace([16]byte{1}, [8]byte{2}, true), over-6
		}
		message.Payload = nil
		message.Payload = make([]byte, limit-message.PacketBytes()-4+over)
		err := s.Publish(t.Context(), message)
		switch fits := message.PacketBytes() <= limit; {
		case fits && err != nil:
			t.Errorf("a packet of %d bytes: %v", message.PacketBytes(), err)
		case !fits && !errors.Is(err, edgelens.ErrTooLarge):
			t.Errorf("a packet of %d bytes: %v, want ErrTooLarge", message.PacketBytes(), err)
		}
	}
	message.Payload = make([]byte, s.MaxPayload(message))
	if err := s.Publish(t.Context(), message); err != nil {
		t.Errorf("the largest payload: %v", err)
	}
	if log.Contains("connection to the MQTT broker lost") {
		t.Error("the connection was lost")
	}
}

// The broker disconnects with reason 0x95 for each message that is too large.
func TestBrokerRejectsLargeMessage(t *testing.T) {
	program := supervisetest.FindMosquitto(t)
	address := testutil.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	settings := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nmessage_size_limit 3000\n", port)
	if os.Getuid() == 0 {
		settings += "user root\n"
	}
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := exec.Command(program, "-c", file)
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Process.Kill(); _ = broker.Wait() })
	s := connected(t, session.Config{Address: at(t, "mqtt://"+address), ClientID: "down"})
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "x", QoS: 1, Payload: bytes.Repeat([]byte("x"), 4000)}); !errors.Is(err, edgelens.ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
	if err := s.Publish(t.Context(), session.Outgoing{Topic: "x", QoS: 1, Payload: []byte("x")}); err != nil && !errors.Is(err, session.ErrNoSubscriber) {
		t.Errorf("the next message: %v", err)
	}
}
