package api_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgelens/api"
	"edgelens/internal/testutil"
)

// withConnections serves with another limit of connections.
func withConnections(n int) func(*api.Server, net.Listener) error {
	return func(s *api.Server, l net.Listener) error {
		s.SetMaxConnections(n)
		return s.Serve(l)
	}
}

// awaitIdle waits until a number of connections have no request. The service notes that after the response was sent.
func awaitIdle(t *testing.T, s *server, want float64) {
	t.Helper()
	testutil.Eventually(t, "idle connections", func() bool {
		return testutil.Metrics(t, s.metrics)["edgelens_http_connections idle"] == want
	})
}

// A full table of connections closes the one that is idle for the longest time; where none is, a client
// is told.
func TestConnectionLimit(t *testing.T) {
	g := newGate()
	s, address := serveBy(t, withConnections(0), func(_ *api.Config, p *api.Parts) { p.Recognizer = g })
	const limit = 16 // for this machine alone
	var all []connection
	for range limit {
		c := dial(t, address)
		c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		c.answer("GET")
		all = append(all, c)
	}
	awaitIdle(t, s, limit)
	for range limit {
		c := dial(t, address)
		c.recognizes(g)
		all = append(all, c)
	}
	for _, c := range all[:limit] {
		c.closed(5 * time.Second)
	}
	refused := dial(t, address)
	refused.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if response, body := refused.answer("GET"); response.StatusCode != 503 || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "connections") {
		t.Errorf("got %v %s", response, body)
	}
	close(g.open)
	for _, c := range all[limit:] {
		if response, body := c.answer("POST"); response.StatusCode != 200 {
			t.Errorf("got %v %s", response, body)
		}
	}
	awaitIdle(t, s, limit)
	again := dial(t, address)
	again.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if response, _ := again.answer("GET"); response.StatusCode != 200 {
		t.Errorf("then: %v", response)
	}
}

// Each address has its own limit, of which this machine is excepted.
func TestConnectionsOfAnAddress(t *testing.T) {
	own, g := ownAddress(t), newGate()
	s, address := serveBy(t, withConnections(100), func(c *api.Config, p *api.Parts) {
		c.Listen, c.MaxConnectionsPerAddress, p.Recognizer = "0.0.0.0:0", 2, g
	})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	get := func(c connection) int {
		c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		response, _ := c.answer("GET")
		return response.StatusCode
	}
	for range 3 {
		if status := get(dial(t, net.JoinHostPort("127.0.0.1", port))); status != 200 {
			t.Errorf("this machine: %d", status)
		}
	}
	outside := net.JoinHostPort(own, port)
	first, second := dial(t, outside), dial(t, outside)
	for _, c := range []connection{first, second} {
		c.recognizes(g)
	}
	if status := get(dial(t, outside)); status != 503 {
		t.Errorf("a third: %d, want it refused while both others have a request", status)
	}
	close(g.open)
	for _, c := range []connection{first, second} {
		if response, body := c.answer("POST"); response.StatusCode != 200 {
			t.Errorf("got %v %s", response, body)
		}
		if status := get(c); status != 200 { // so the first one is idle for longer
			t.Errorf("got %d", status)
		}
	}
	awaitIdle(t, s, 3+2)
	if status := get(dial(t, outside)); status != 200 {
		t.Errorf("instead of one that is idle: %d", status)
	}
	open := 0
	for _, c := range []connection{first, second} {
		if _, err := io.WriteString(c.TCPConn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			continue
		}
		if _, err := http.ReadResponse(c.Reader, nil); err == nil {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d of the others are open, want one", open)
	}
	if n := testutil.Metrics(t, s.metrics)["edgelens_http_refusals_total address"]; n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
}

// ownAddress is an IPv4 address of this machine other than the loopback one.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	t.Skip("this machine has the loopback address alone")
	return ""
}

// A request whose end two readers could see at different places ends its connection: what follows is not taken for
// another request.
func TestSmuggling(t *testing.T) {
	const hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	const chunked = "5\r\n12345\r\n0\r\n\r\n"
	for name, c := range map[string]struct{ version, headers, body string }{
		"length, then chunked":       {"1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked},
		"chunked, then length":       {"1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", chunked},
		"chunked in capitals":        {"1.1", "Content-Length: 5\r\nTransfer-Encoding: CHUNKED\r\n", chunked},
		"chunked twice":              {"1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked},
		"chunked with another":       {"1.1", "Transfer-Encoding: gzip, chunked\r\n", chunked},
		"chunked with a blank":       {"1.1", "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n", chunked},
		"chunked after a tab":        {"1.1", "Content-Length: 5\r\nTransfer-Encoding:\tchunked\r\n", chunked},
		"chunked in quotes":          {"1.1", "Content-Length: 5\r\nTransfer-Encoding: \"chunked\"\r\n", chunked},
		"chunked on a further line":  {"1.1", "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n", chunked},
		"an unknown coding":          {"1.1", "Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", chunked},
		"two lengths":                {"1.1", "Content-Length: 5\r\nContent-Length: 6\r\n", "12345"},
		"a length with a sign":       {"1.1", "Content-Length: +5\r\n", "12345"},
		"a length that is negative":  {"1.1", "Content-Length: -5\r\n", "12345"},
		"a length in a list":         {"1.1", "Content-Length: 5, 6\r\n", "12345"},
		"chunked in HTTP/1.0":        {"1.0", "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "12345"},
		"a chunk's length is signed": {"1.1", "Transfer-Encoding: chunked\r\n", "+5\r\n12345\r\n0\r\n\r\n"},
		"a chunk ends by a newline":  {"1.1", "Transfer-Encoding: chunked\r\n", "5\r\n12345\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, address := serve(t, nil)
			client := dial(t, address)
			client.send("POST /api/recognize HTTP/" + c.version + "\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n" + c.headers + "\r\n" + c.body + hidden)
			got, err := io.ReadAll(client.Reader)
			if err != nil && !errors.Is(err, net.ErrClosed) && isTimeout(err) {
				t.Errorf("the connection stays open: %v", err)
			}
			if n := bytes.Count(got, []byte("HTTP/1.1 ")) + bytes.Count(got, []byte("HTTP/1.0 ")); n != 1 || bytes.Contains(got, []byte(`"status":"ok"`)) {
				t.Errorf("%d responses:\n%s", n, got)
			}
		})
	}
}
