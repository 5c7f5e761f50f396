package api_test

import (
	"testing"
	"time"

	"edgelens/internal/testutil"
)

// While the service drains, requests on connections from before are answered, each as the last one of its connection.
func TestDrainEndsConnectionsWithAResponse(t *testing.T) {
	s, address := serve(t, nil)
	before := dial(t, address)
	before.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if response, body := before.answer("GET"); response.StatusCode != 200 || response.Close {
		t.Fatalf("before: %v %s", response, body)
	}
	s.built.Drain()
	if !s.built.Drained(time.Hour) {
		t.Error("a request has arrived since")
	}
	after := dial(t, address)
	for name, c := range map[string]connection{"an open connection": before, "a new one": after} {
		c.send(recognizeByHand)
		if response, body := c.answer("POST"); response.StatusCode != 200 || !response.Close {
			t.Errorf("%s: got %v %s, want 200 and Connection: close", name, response, body)
		}
	}
	if s.built.Drained(time.Hour) {
		t.Error("no request has arrived")
	}
	testutil.Eventually(t, "there are no more requests", func() bool { return s.built.Drained(10 * time.Millisecond) })
}
