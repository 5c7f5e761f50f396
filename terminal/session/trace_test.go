package session_test

import (
	"testing"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/terminal/session"
)

// A message's trace reaches its subscribers, and a message without one has none.
func TestTraces(t *testing.T) {
	broker := startBroker(t)
	var received collector
	connected(t, session.Config{Address: broker.address, ClientID: "up", Subscriptions: subscribe("x"), OnMessage: received.onMessage})
	s := connected(t, session.Config{Address: broker.address, ClientID: "down"})
	trace := edgelens.NewTrace([16]byte{1}, [8]byte{2}, true)
	for text, of := range map[string]edgelens.Trace{"with": trace, "without": "", "invalid": "nonsense"} {
		if err := s.Publish(t.Context(), session.Outgoing{Topic: "x", Payload: []byte(text), QoS: 1, Trace: of}); err != nil {
			t.Fatal(err)
		}
	}
	testutil.Eventually(t, "all arrived", func() bool { return len(received.texts()) == 3 })
	received.mu.Lock()
	defer received.mu.Unlock()
	for _, m := range received.messages {
		want := edgelens.Trace("")
		if string(m.Payload) == "with" {
			want = trace
		}
		if m.Trace != want {
			t.Errorf("%s arrived with the trace %q", m.Payload, m.Trace)
		}
	}
}
