package api_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgelens/api"
	"edgelens/internal/testutil"
)

// Clients that claim large bodies and send next to nothing take next to no memory from others.
func TestClaimedBodiesTakeNoMemory(t *testing.T) {
	_, address := serve(t, nil) // 192 MiB
	for range 40 {
		c := dial(t, address)
		c.send(head(20 << 20))
		c.send("\xff\xd8\xff")
	}
	for range 5 {
		c := dial(t, address)
		c.send(head(300<<10) + strings.Repeat("x", 300<<10))
		if response, body := c.answer("POST"); response.StatusCode != 200 {
			t.Fatalf("got %v %s", response, body)
		}
	}
}

// Where large bodies have used up the memory, small ones and calls about devices still get in,
// and an upload that has stalled makes way for the next.
func TestSmallBodiesGetIn(t *testing.T) {
	const large = 1 << 20
	s, address := serve(t, func(c *api.Config, _ *api.Parts) {
		c.MaxImageBytes, c.MaxUploadBytes = large, 3<<20
	})
	arrive := func(bytes int) connection {
		c := dial(t, address)
		c.send(head(large) + strings.Repeat("x", bytes))
		return c
	}
	stalled := []connection{arrive(large - 1), arrive(large - 1)} // a third does not fit beside the floor
	testutil.Eventually(t, "both have arrived", func() bool { return s.uploading() >= 2*large })
	if response, _ := arrive(large).answer("POST"); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
		t.Errorf("a third large one: %v, want it refused", response)
	}
	small := dial(t, address)
	small.send(head(1000) + strings.Repeat("x", 1000))
	if response, body := small.answer("POST"); response.StatusCode != 200 {
		t.Errorf("a small one: %v %s", response, body)
	}
	small.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	if response, body := small.answer("POST"); response.StatusCode == 503 {
		t.Errorf("a command: %v %s", response, body)
	}
	testutil.Eventually(t, "the stalled ones make way", func() bool {
		response, _ := arrive(large).answer("POST")
		return response.StatusCode == 200
	})
	cut := 0
	for _, c := range stalled {
		if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if response, err := http.ReadResponse(c.Reader, nil); err == nil && response.StatusCode == 503 {
			cut++
		}
	}
	if cut == 0 {
		t.Error("neither of the stalled uploads was answered by 503")
	}
}

// uploading is how many bytes are reserved.
func (s *server) uploading() float64 {
	return testutil.Metrics(s.t, s.metrics)["edgelens_uploads_in_memory_bytes"]
}

// withGrace serves with a shorter time in which a body may arrive slowly.
func withGrace(grace time.Duration) func(*api.Server, net.Listener) error {
	return func(s *api.Server, l net.Listener) error {
		s.SetUploadGrace(grace)
		return s.Serve(l)
	}
}

// A body that arrives too slowly is given up, with a sentence.
func TestSlowBody(t *testing.T) {
	_, address := serveBy(t, withGrace(200*time.Millisecond), nil)
	c := dial(t, address)
	c.send(head(100_000) + "\xff\xd8\xff")
	response, body := c.answer("POST")
	if response.StatusCode != 408 || !strings.Contains(body, "upload_too_slow") || !strings.Contains(body, "too slowly") || !response.Close {
		t.Errorf("got %v %s", response, body)
	}
	c.closed(5 * time.Second)

	steady := dial(t, address)
	steady.send(head(50_000))
	for range 10 { // half a second, at 100 kB a second
		steady.send(strings.Repeat("x", 5000))
		time.Sleep(50 * time.Millisecond) // the pace is what is tested
	}
	if response, body := steady.answer("POST"); response.StatusCode != 200 {
		t.Errorf("at a sufficient rate: %v %s", response, body)
	}
}

// After its body was read, a request may take longer than a slow body may.
func TestGraceEndsWithBody(t *testing.T) {
	g := newGate()
	_, address := serveBy(t, withGrace(100*time.Millisecond), func(_ *api.Config, p *api.Parts) { p.Recognizer = g })
	c := dial(t, address)
	c.recognizes(g)
	time.Sleep(300 * time.Millisecond) // beyond the grace
	close(g.open)
	if response, body := c.answer("POST"); response.StatusCode != 200 {
		t.Errorf("got %v %s", response, body)
	}
}
