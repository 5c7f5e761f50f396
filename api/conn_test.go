package api_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

// serve starts a server on a port of its own, with the service's own
// listener, until the test ends.
func serve(t *testing.T, edit func(*api.Config, *api.Parts)) (*server, string) {
	t.Helper()
	return serveBy(t, (*api.Server).Serve, edit)
}

func serveBy(t *testing.T, serve func(*api.Server, net.Listener) error, edit func(*api.Config, *api.Parts), before ...func(*api.Server)) (*server, string) {
	t.Helper()
	s := newServer(t, func(c *api.Config, p *api.Parts) {
		c.Listen = "127.0.0.1:0"
		p.Events = happened(nil)
		if edit != nil {
			edit(c, p)
		}
	})
	for _, prepare := range before {
		prepare(s.built)
	}
	l, err := s.built.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- serve(s.built, l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := errors.Join(s.built.Shutdown(ctx), <-ended); err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// connection is that of a client that writes HTTP by hand.
type connection struct {
	*net.TCPConn
	*bufio.Reader
	t *testing.T
}

func dial(t *testing.T, address string) connection {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return connection{c.(*net.TCPConn), bufio.NewReader(c), t}
}

func (c connection) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.TCPConn, text); err != nil {
		c.t.Fatal(err)
	}
}

// answer reads the response to a request of the method.
func (c connection) answer(method string) (*http.Response, string) {
	c.t.Helper()
	response, err := http.ReadResponse(c.Reader, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		c.t.Fatal(err)
	}
	return response, string(body)
}

// recognizes sends a request, and returns once it has reached the recognizer.
func (c connection) recognizes(g gate) {
	c.t.Helper()
	c.send(recognizeByHand)
	select {
	case <-g.entered:
	case <-time.After(10 * time.Second):
		response, body := c.answer("POST")
		c.t.Fatalf("the request did not reach the recognizer: got %v %s", response, body)
	}
}

// final is answer without interim responses.
func (c connection) final(method string) (*http.Response, string) {
	c.t.Helper()
	response, body := c.answer(method)
	for response.StatusCode == 100 {
		response, body = c.answer(method)
	}
	return response, body
}

// closed fails unless the server closes the connection within a time.
func (c connection) closed(within time.Duration) {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		c.t.Fatal(err)
	}
	if rest, err := io.ReadAll(c.Reader); len(rest) > 0 || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		c.t.Errorf("the connection is open, with %q: %v", rest, err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestHeadOfEvents(t *testing.T) {
	_, address := serve(t, nil)
	c := dial(t, address)
	c.send("HEAD /api/events HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if response, _ := c.answer("HEAD"); response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("got %v", response)
	}
	if response, body := c.answer("GET"); response.StatusCode != 200 || !strings.Contains(body, "ok") {
		t.Errorf("the next request: %v, %s", response, body)
	}
}

// gate is a recognizer that waits for the test, or for its context.
type gate struct {
	entered chan struct{}
	open    chan struct{}
}

func (g gate) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	g.entered <- struct{}{}
	select {
	case <-g.open:
		return (&recognizer{}).Recognize(ctx, req)
	case <-ctx.Done():
		return nil, fmt.Errorf("wait: %w", edgelens.ErrCanceled)
	}
}

// noting is a gate that sends the time when a request was canceled.
type noting struct {
	gate
	canceled chan time.Time
}

func (n noting) Recognize(ctx context.Context, req *edgelens.Request) (*edgelens.Result, error) {
	result, err := n.gate.Recognize(ctx, req)
	if err != nil {
		n.canceled <- time.Now()
	}
	return result, err
}

func newGate() gate { return gate{make(chan struct{}, 1), make(chan struct{})} }

const recognizeByHand = "POST /api/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\n\r\n12345"

// A client that has closed its sending side still receives its response.
func TestHalfClosedClientGetsResponse(t *testing.T) {
	g := newGate()
	_, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Recognizer = g })
	c := dial(t, address)
	c.recognizes(g)
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	// Time for the server to see the end of the stream: a second client is served.
	other := dial(t, address)
	other.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	other.answer("GET")
	close(g.open)
	if response, body := c.final("POST"); response.StatusCode != 200 {
		t.Errorf("got %v %s", response, body)
	}
	c.closed(5 * time.Second)
}

// The work of a disconnected client is canceled soon, and so is its stream.
func TestDisconnectedClientStopsWork(t *testing.T) {
	t.Run("recognition", func(t *testing.T) {
		t.Parallel()
		g := newGate()
		_, address := serveBy(t, (*api.Server).ServeWithShortGrace, func(_ *api.Config, p *api.Parts) { p.Recognizer = g })
		c := dial(t, address)
		c.recognizes(g)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		response, body := c.final("POST") // this one still reads
		if response.StatusCode != 408 || !strings.Contains(body, `"canceled"`) {
			t.Errorf("got %v %s", response, body)
		}
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		g := newGate()
		canceled := make(chan time.Time, 1)
		_, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Recognizer = noting{g, canceled} })
		c := dial(t, address)
		c.recognizes(g)
		begin := time.Now()
		if err := c.TCPConn.Close(); err != nil {
			t.Fatal(err)
		}
		if took := (<-canceled).Sub(begin); took > 4*time.Second {
			t.Errorf("work went on for %v, as for a client that still reads", took)
		}
	})
	t.Run("reset", func(t *testing.T) {
		t.Parallel()
		g := newGate()
		_, address := serve(t, func(_ *api.Config, p *api.Parts) { p.Recognizer = g })
		c := dial(t, address)
		c.recognizes(g)
		if err := errors.Join(c.SetLinger(0), c.TCPConn.Close()); err != nil {
			t.Fatal(err)
		}
		// The server stops when nothing is in flight: see serve.
	})
	t.Run("stream", func(t *testing.T) {
		t.Parallel()
		_, address := serveBy(t, (*api.Server).ServeWithShortGrace, nil)
		c := dial(t, address)
		c.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if line, err := c.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c.Reader); err != nil {
			t.Errorf("the stream: %v", err)
		}
	})
}

// A request with both lengths gets a response that closes its connection.
func TestChunkedWithLength(t *testing.T) {
	s, address := serve(t, nil)
	c := dial(t, address)
	c.send("POST /api/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"5\r\n12345\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	response, body := c.answer("POST")
	if response.StatusCode != 200 || !response.Close || string(s.recognizer.last.Image) != "12345" {
		t.Errorf("got %v %s", response, body)
	}
	c.closed(5 * time.Second)
}

// A client that waits for 100 Continue and gets an error need not send its body.
func TestExpectWithError(t *testing.T) {
	for name, target := range map[string]string{"before the body": "/api/recognize?x=y", "the host": "/api/recognize", "the address": "/api/cats"} {
		t.Run(name, func(t *testing.T) {
			_, address := serve(t, nil)
			host := "localhost"
			if name == "the host" {
				host = "evil.example"
			}
			c := dial(t, address)
			c.send("POST " + target + " HTTP/1.1\r\nHost: " + host + "\r\nExpect: 100-continue\r\nContent-Type: image/jpeg\r\nContent-Length: 5000\r\n\r\n")
			if response, _ := c.answer("POST"); response.StatusCode < 400 {
				t.Errorf("got %v", response)
			}
			c.closed(5 * time.Second)
		})
	}
	s, address := serve(t, nil)
	c := dial(t, address)
	c.send("POST /api/recognize HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\n\r\n")
	if response, _ := c.answer("POST"); response.StatusCode != 100 {
		t.Fatalf("got %v", response)
	}
	c.send("12345")
	if response, _ := c.answer("POST"); response.StatusCode != 200 || string(s.recognizer.last.Image) != "12345" {
		t.Errorf("got %v", response)
	}
}

// Requests that never reach a handler get problems, too.
func TestServerErrorsAreProblems(t *testing.T) {
	const host = "Host: localhost\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
		want    string
	}{
		"large headers":       {"GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 40_000) + "\r\n\r\n", 431, "too large"},
		"a long query":        {"GET /api/results?" + strings.Repeat("x", 40_000) + " HTTP/1.1\r\n" + host + "\r\n", 431, "too large"},
		"an escape":           {"GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400, "percent escape"},
		"no HTTP":             {"hello\r\n\r\n", 400, "not valid HTTP"},
		"no Host":             {"GET / HTTP/1.1\r\n\r\n", 400, "one Host header"},
		"two Hosts":           {"GET / HTTP/1.1\r\n" + host + "Host: evil.example\r\n\r\n", 400, "one Host"},
		"a malformed Host":    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host header"},
		"an unknown coding":   {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: x\r\n\r\n", 501, "chunked"},
		"another version":     {"GET / HTTP/3.0\r\n" + host + "\r\n", 505, "HTTP/1.1"},
		"another expectation": {"POST / HTTP/1.1\r\n" + host + "Expect: tea\r\nContent-Length: 2\r\n\r\n{}", 417, "100-continue"},
		"an absolute form":    {"GET http://evil.example/api/models HTTP/1.1\r\n" + host + "\r\n", 421, "evil.example"},
		"after another":       {"GET /healthz HTTP/1.1\r\n" + host + "\r\nGET /%zz HTTP/1.1\r\n" + host + "\r\n", 400, "percent escape"},
	} {
		t.Run(name, func(t *testing.T) {
			_, address := serve(t, nil)
			client := dial(t, address)
			client.send(c.request)
			if name == "after another" {
				client.answer("GET")
			}
			response, body := client.answer("GET")
			if response.StatusCode != c.status || response.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, c.want) ||
				!strings.Contains(body, `"request_id":"`+response.Header.Get("X-Request-Id")+`"`) {
				t.Errorf("got %v %s", response, body)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	for target, want := range map[string][]string{
		"PUT /api/results": {"GET", "HEAD"}, "PUT /api/devices/new": {"GET", "HEAD", "PATCH", "DELETE"}, "GET /api/recognize": {"POST"}, "OPTIONS /api/jobs/" + jobID: {"GET", "HEAD", "DELETE"},
		"OPTIONS /api/devices/new": {"GET", "HEAD", "PATCH", "DELETE"}, "DELETE /docs": {"GET", "HEAD"},
	} {
		s := newServer(t, nil)
		method, path, _ := strings.Cut(target, " ")
		w := s.do(request(method, path, "", nil))
		allow := w.Header().Get("Allow")
		for _, allowed := range want {
			if !strings.Contains(allow, allowed) {
				t.Errorf("%s: Allow is %q", target, allow)
			}
		}
		if patch := w.Header().Get("Accept-Patch"); (patch == "application/json") != strings.Contains(allow, "PATCH") {
			t.Errorf("%s: Accept-Patch is %q", target, patch)
		}
	}
}

// A path without parameters lacks the methods of one with a parameter in its last place.
func TestFixedPathIsNoID(t *testing.T) {
	s := newServer(t, nil)
	for _, path := range []string{"/api/results/export", "/api/sensors/stream"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request(http.MethodDelete, path, "", nil)) // the description has the other path's DELETE
		if allow := w.Header().Get("Allow"); w.Code != http.StatusMethodNotAllowed || allow != "GET, OPTIONS, HEAD" {
			t.Errorf("DELETE %s: %d, Allow is %q: %s", path, w.Code, allow, w.Body)
		}
	}
}

func TestETags(t *testing.T) {
	for _, target := range []string{"/docs", "/openapi.yaml", "/api/results/" + resultID + "/image"} {
		s, _ := newHistory(t, images{jobID: "\xff\xd8\xff an image"}, edgelens.StoredResult{ID: resultID, JobID: jobID})
		first := s.do(request("GET", target, "", nil))
		etag := first.Header().Get("ETag")
		if first.Code != 200 || !strings.HasPrefix(etag, `"`) || len(etag) < 10 {
			t.Errorf("%s: got %d, ETag %q", target, first.Code, etag)
		}
		for match, want := range map[string]int{etag: 304, "W/" + etag: 304, `"x", ` + etag: 304, "*": 304, `"x"`: 200, "": 200, strings.Trim(etag, `"`): 200} {
			r := request("GET", target, "", nil)
			r.Header.Set("If-None-Match", match)
			w := s.do(r)
			if w.Code != want || w.Header().Get("ETag") != etag || want == 304 && w.Body.Len() > 0 || want == 200 && !bytes.Equal(w.Body.Bytes(), first.Body.Bytes()) {
				t.Errorf("%s, %q: got %d with %d bytes", target, match, w.Code, w.Body.Len())
			}
		}
	}
}
