package api_test

import (
	"testing"
	"time"
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
	if since := s.built.SinceRequest(); since < time.Hour {
		t.Errorf("a request arrived %v ago", since)
	}
	after := dial(t, address)
	for name, c := range map[string]connection{"an open connection": before, "a new one": after} {
		c.send(recognizeByHand)
		if response, body := c.answer("POST"); response.StatusCode != 200 || !response.Close {
			t.Errorf("%s: got %v %s, want 200 and Connection: close", name, response, body)
		}
	}
	if since := s.built.SinceRequest(); since > time.Minute {
		t.Errorf("no request has arrived for %v", since)
	}
}
