package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"edgelens/internal/uuid7"
)

const (
	// halfClosedGrace is how long a request continues after its client has closed its
	// sending side: the client may still read, or be gone.
	halfClosedGrace = 5 * time.Second
	// goneInterval is how often it is checked meanwhile whether the client is gone.
	goneInterval = 100 * time.Millisecond
)

// interim is a response before the response. Every client of HTTP/1.1 must ignore it,
// expected or not (RFC 9110 15.2); the system of one that is gone resets the connection.
const interim = "HTTP/1.1 100 Continue\r\n\r\n"

// conn changes two habits of net/http. It assumes that a client that has closed its
// sending side is gone and cancels the request at once, so that the client's
// response is lost; and its own errors, before a handler runs, are in plain
// text.
type conn struct {
	*net.TCPConn
	halfClosedGrace time.Duration
	connections     *connections
	// address is the one that the connection counts for.
	address netip.Prefix
	// refuse refuses a request whose begin was received (Server.refuseEarly); nil where none is refused there.
	refuse func(c *conn, received []byte) (refused bool, err error)
	// raw is for system calls, where refuse is not nil.
	raw syscall.RawConn
	// between is true until something of the next request is read, where refuse is not nil. It belongs to the goroutine
	// that reads.
	between bool
	// renewed is when its deadline for reading was set last by renewDeadline.
	renewed time.Time

	mu sync.Mutex
	// changed is signaled when one of those below has changed.
	changed sync.Cond
	// answering is true from the start of a handler until its response is sent.
	answering bool
	// expired is true while the deadline for reading lies in the past.
	expired, closed bool
	// cancel ends the request's context.
	cancel context.CancelFunc
	// arrived is to be called once the request was read, or has ended, that refuse has let through; nil without one.
	arrived func()

	// writing guards writes, and what is below.
	writing sync.Mutex
	// mayProbe is true while the request is HTTP/1.1 and nothing of its response was
	// written.
	mayProbe bool
}

type connKey struct{}

// connContext adds a request's connection to its context.
func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// ourConn returns our connection below one of net/http's, which may be one of TLS.
func ourConn(c net.Conn) (*conn, bool) {
	if secure, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = secure.NetConn()
	}
	ours, ok := c.(*conn)
	return ours, ok
}

// overConn runs a handler with a context that ends soon after the client closed its
// sending side.
func overConn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*conn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		c.writing.Lock()
		c.mayProbe = r.ProtoAtLeast(1, 1)
		c.writing.Unlock()
		c.set(func() { c.answering, c.cancel = true, cancel })
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (c *conn) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	c.changed.Broadcast()
}

// Read implements net.Conn. While a request is handled, net/http reads one byte
// to notice that the client is gone; Read withholds the end of the stream until
// the response is sent. Of a flood, net/http sees only what is not refused.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if c.between && len(p) == netHTTPBuffer && err == nil {
		n, err = c.pass(p, n)
	}
	c.between = false
	if err != io.EOF || len(p) != 1 {
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answering {
		return n, err
	}
	defer c.cancelWhenGone(c.cancel)()
	for !c.expired && !c.closed {
		c.changed.Wait()
	}
	if c.closed {
		return 0, net.ErrClosed
	}
	return 0, os.ErrDeadlineExceeded
}

// awaitRequest notes that what is read next begins a request. Only where requests are refused early is that certain, and
// known to the goroutine that reads: HTTP/2, over TLS, reads all the time on a goroutine of its own.
func (c *conn) awaitRequest() {
	if c.refuse != nil {
		c.between = true
		c.endArrival()
	}
}

// takeArrived hands over what is to be called once the present request was read, or has ended; nil for nothing.
func (c *conn) takeArrived() (arrived func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	arrived, c.arrived = c.arrived, nil
	return arrived
}

// endArrival notes the end of a request that was let through, but not passed to a handler that reads it.
func (c *conn) endArrival() {
	if arrived := c.takeArrived(); arrived != nil {
		arrived()
	}
}

// pass refuses requests until one is received that net/http is to see.
func (c *conn) pass(p []byte, n int) (int, error) {
	for {
		refused, err := c.refuse(c, p[:n])
		switch {
		case err != nil:
			return 0, io.EOF // for net/http, which answers other errors
		case !refused && !c.renewed.IsZero():
			c.renewed = time.Time{}
			return n, c.TCPConn.SetReadDeadline(time.Now().Add(headTimeout))
		case !refused:
			return n, nil
		}
		if n, err = c.TCPConn.Read(p); err != nil {
			return n, err
		}
	}
}

// renewDeadline sets the deadline for the rest of a request that is refused, and the next one, unless that was done just now.
func (c *conn) renewDeadline() error {
	now := time.Now()
	if now.Sub(c.renewed) < renewal {
		return nil
	}
	c.renewed = now
	return c.TCPConn.SetReadDeadline(now.Add(idleTimeout))
}

// isLocal reports whether both ends of the connection are on the loopback interface.
func (c *conn) isLocal() bool { return isLoopback(c.LocalAddr()) && isLoopback(c.RemoteAddr()) }

// cancelWhenGone cancels a request whose client has closed its sending side: as soon as the
// client is known to be gone, and at the latest after its halfClosedGrace. The function ends
// that.
func (c *conn) cancelWhenGone(cancel context.CancelFunc) (stop func()) {
	done := make(chan struct{})
	go func() {
		c.probe()
		grace, check := time.NewTimer(c.halfClosedGrace), time.NewTicker(goneInterval)
		defer grace.Stop()
		defer check.Stop()
		for {
			select {
			case <-check.C:
				if !isReset(c.TCPConn) {
					continue
				}
			case <-grace.C:
			case <-done:
				return
			}
			cancel()
			return
		}
	}()
	return func() { close(done) }
}

// probe writes what a client that is gone responds to by a reset.
func (c *conn) probe() {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.mayProbe {
		_, _ = c.TCPConn.Write([]byte(interim)) // an error shows in the state of the connection
	}
}

// SetReadDeadline implements net.Conn; net/http stops its reading with one in the
// past.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.set(func() { c.expired = !t.IsZero() && !t.After(time.Now()) })
	return c.TCPConn.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.set(func() { c.closed = true })
	c.endArrival()
	c.connections.remove(c)
	return c.TCPConn.Close()
}

// Write implements net.Conn. Errors that net/http sends itself become problems.
func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mayProbe = c.mayProbe && bytes.HasPrefix(p, []byte("HTTP/1.1 100 "))
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 4")) && !bytes.HasPrefix(p, []byte("HTTP/1.1 5")) {
		return c.TCPConn.Write(p)
	}
	c.mu.Lock()
	answering := c.answering
	c.mu.Unlock()
	if answering {
		return c.TCPConn.Write(p) // a handler's
	}
	if _, err := c.TCPConn.Write(serverProblem(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// serverProblems are the details of requests that net/http rejects.
var serverProblems = map[int]struct{ code, detail string }{
	http.StatusBadRequest:                  {"invalid_request", "The request is not valid HTTP: its first line, a header (it needs one Host), or a percent escape in its path is malformed."},
	http.StatusExpectationFailed:           {"expectation_failed", "Of the header Expect, only 100-continue is supported."},
	http.StatusRequestHeaderFieldsTooLarge: {"headers_too_large", "The headers of the request, with its path and query, are too large. Send options in a form or in JSON."},
	http.StatusNotImplemented:              {"not_implemented", "Of transfer codings, only chunked is supported."},
	http.StatusHTTPVersionNotSupported:     {"version_not_supported", "The service supports HTTP/1.0 and HTTP/1.1."},
}

// serverProblem is the response in place of one by net/http.
func serverProblem(answer []byte) []byte {
	status, err := strconv.Atoi(string(answer[len("HTTP/1.1 "):min(len(answer), len("HTTP/1.1 400"))]))
	if err != nil {
		return answer
	}
	known, ok := serverProblems[status]
	if !ok {
		known = serverProblems[http.StatusBadRequest]
	}
	if line, _, _ := bytes.Cut(answer, []byte("\r\n")); bytes.Contains(line, []byte("Host header")) {
		known.detail = "The request must have one Host header, with a valid name or address."
	}
	id := uuid7.New(time.Now())
	body, err := json.Marshal(Problem{
		Type: "urn:edgelens:problem:" + known.code, Title: http.StatusText(status), Status: status, Code: known.code,
		Detail: known.detail, Error: known.detail, RequestId: id, Instance: "/",
	})
	if err != nil {
		return answer
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nX-Request-Id: %s\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(body), id, body)
}
