package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

const (
	// answerTimeout is how long ordinary clients wait for an answer.
	answerTimeout = 60 * time.Second
	// writeGrace is how long the rest of a request may take once it is answered.
	writeGrace = 20 * time.Millisecond
	// sendBuffer is the kernel's buffer for what is sent, in bytes.
	sendBuffer = 512 << 10
	// maxBody is how much of an answer is kept.
	maxBody = 64 << 10
)

// client is one HTTP/1.1 connection, which is opened again when it was closed. It costs less CPU than net/http's client,
// and receives an answer that comes before the end of the request. It is for one goroutine.
type client struct {
	address string
	from    net.IP
	key     string
	timeout time.Duration

	conn net.Conn
	in   *bufio.Reader
}

// answer is the answer to a request.
type answer struct {
	// status is 0 where the server closed the connection without an answer.
	status     int
	retryAfter time.Duration
	took       time.Duration
	body       []byte // at most maxBody
}

var (
	errNoConnection = errors.New("no connection")
	errNoAnswer     = errors.New("no answer")
	errTimeout      = errors.New("timeout")
	// errStale: an idle connection was closed by the server, and nothing was answered.
	errStale = errors.New("closed")
)

// do sends a request, and reads the whole answer. headers end with a line break each. Errors: errNoConnection,
// errNoAnswer, errTimeout.
func (c *client) do(ctx context.Context, method, path, headers string, body ...[]byte) (answer, error) {
	return c.send(ctx, c.request(method, path, headers, body...))
}

// request is the head of a request, and its body, which is not copied.
func (c *client) request(method, path, headers string, body ...[]byte) [][]byte {
	length := total(body)
	if length > 0 || method == http.MethodPost {
		headers += "Content-Length: " + strconv.Itoa(length) + "\r\n"
	}
	return append([][]byte{c.head(method, path, headers)}, body...)
}

func (c *client) head(method, path, headers string) []byte {
	if c.key != "" {
		headers = "Authorization: Bearer " + c.key + "\r\n" + headers
	}
	return []byte(method + " " + path + " HTTP/1.1\r\nHost: " + c.address + "\r\n" + headers + "\r\n")
}

// send sends the bytes of a request.
func (c *client) send(ctx context.Context, parts [][]byte) (answer, error) {
	reused := c.conn != nil
	a, err := c.exchange(ctx, parts)
	if reused && errors.Is(err, errStale) {
		a, err = c.exchange(ctx, parts)
	}
	if errors.Is(err, errStale) {
		err = errNoAnswer
	}
	return a, err
}

func (c *client) exchange(ctx context.Context, parts [][]byte) (a answer, err error) {
	begin := time.Now()
	if c.conn == nil {
		if err := c.dial(ctx); err != nil {
			return answer{}, err
		}
	}
	conn := c.conn
	_ = conn.SetDeadline(begin.Add(c.timeout)) // a closed connection fails below
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })
	written := make(chan error, 1)
	write := func() { // ends with the request, or the deadline
		buffers := net.Buffers(slices.Clone(parts))
		_, err := buffers.WriteTo(conn)
		written <- err
	}
	if total(parts) <= sendBuffer/2 {
		write() // the kernel takes it all
	} else {
		go write()
	}
	a, keep, err := c.read()
	a.took = time.Since(begin)
	var writeErr error
	select {
	case writeErr = <-written:
	case <-time.After(writeGrace):
		_ = conn.SetWriteDeadline(past)
		writeErr = <-written
	}
	if !stop() || err != nil || writeErr != nil || !keep {
		c.close()
	}
	return a, err
}

// total is the length of all parts.
func total(parts [][]byte) (n int) {
	for _, part := range parts {
		n += len(part)
	}
	return n
}

var past = time.Unix(1, 0)

func (c *client) dial(ctx context.Context) error {
	dialer := net.Dialer{Timeout: c.timeout}
	if c.from != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: c.from}
	}
	conn, err := dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return fmt.Errorf("%w: %v", errNoConnection, err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // else a goroutine that writes waits for the server
	}
	c.conn = conn
	if c.in == nil {
		c.in = bufio.NewReaderSize(conn, 4<<10)
	} else {
		c.in.Reset(conn)
	}
	return nil
}

// read reads an answer; keep is whether the server keeps the connection.
func (c *client) read() (a answer, keep bool, err error) {
	if _, err := c.in.Peek(1); err != nil {
		return answer{}, false, readError(err, errStale)
	}
	for {
		response, err := http.ReadResponse(c.in, nil)
		if err != nil {
			return answer{}, false, readError(err, errNoAnswer)
		}
		if response.StatusCode < 200 {
			continue // 100: the body was sent anyway
		}
		a.status = response.StatusCode
		if n, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
			a.retryAfter = time.Duration(n) * time.Second
		}
		a.body, err = io.ReadAll(io.LimitReader(response.Body, maxBody))
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
		}
		_ = response.Body.Close() // read to its end
		if err != nil {
			return a, false, readError(err, errNoAnswer)
		}
		return a, !response.Close, nil
	}
}

func readError(err, otherwise error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errTimeout
	}
	return otherwise
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is pending
		c.conn = nil
	}
}

// whole sends bytes on a connection of their own, ends it, and reads the first answer. A server that closes the
// connection has refused them: the status is 0 then.
func (c *client) whole(ctx context.Context, request []byte) (answer, error) {
	c.close()
	defer c.close()
	begin := time.Now()
	if err := c.dial(ctx); err != nil {
		return answer{}, err
	}
	conn := c.conn
	_ = conn.SetDeadline(begin.Add(c.timeout)) // a closed connection fails below
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })()
	written := make(chan struct{})
	go func() { // ends with the request, or the deadline
		defer close(written)
		if _, err := conn.Write(request); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.CloseWrite() // the server may have closed it
			}
		}
	}()
	a, _, err := c.read()
	a.took = time.Since(begin)
	_ = conn.SetWriteDeadline(past)
	<-written
	if errors.Is(err, errStale) || errors.Is(err, errNoAnswer) {
		err = nil
	}
	return a, err
}
