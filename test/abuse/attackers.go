package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edgelens/benchmarks/hostile"
)

// attack is a number of hostile clients that run until stop.
type attack struct {
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	// answers counts their requests that were answered, and failures the others.
	answers, failures atomic.Int64
}

func newAttack(ctx context.Context) *attack {
	a := &attack{}
	a.ctx, a.cancel = context.WithCancel(ctx)
	return a
}

// stop ends all clients, and waits for them.
func (a *attack) stop() {
	a.cancel()
	a.group.Wait()
}

// each runs a client n times, from different addresses, again and again.
func (a *attack) each(n, firstAddress int, client func(ctx context.Context, address int) error) {
	for i := range n {
		a.group.Go(func() {
			for a.ctx.Err() == nil {
				if err := client(a.ctx, firstAddress+i); err != nil {
					a.failures.Add(1)
					pause(a.ctx, afterFailure)
				} else {
					a.answers.Add(1)
				}
			}
		})
	}
}

// bombNames are inputs of different kinds that cost the most.
var bombNames = []string{
	"jpeg-scans-3c-100x49mp", "jpeg-codes-50x12mp", "jpeg-sequential-20x25mp", "jpeg-every-bit-50mp", "jpeg-refined", "jpeg-250mp",
	"png-inflated-19mb", "png-rgba16-64mp", "png-interlaced-rgba16-64mp", "png-dynamic-blocks",
	"tiff-packbits-nothing", "tiff-deflate-nothing", "webp-large-groups", "webp-few-large-groups", "webp-four-transforms-50mp", "bmp-runs-all-64mp", "json-invalid-utf8", "json-name",
}

// bombs builds the inputs that cost the most. It takes seconds, and a hundred megabytes.
func (b *bench) bombs() []built {
	var bombs []built
	for input := range hostile.Inputs(b.seed, 0) {
		if slices.Contains(bombNames, input.Name) {
			bombs = append(bombs, built{input, input.Bytes()})
		}
	}
	return bombs
}

// built is an input with its bytes.
type built struct {
	hostile.Input
	data []byte
}

// request is the request of an input: its header, and its parts. Images are salted.
func (i built) request(c *client, salt uint64) [][]byte {
	headers := ""
	if i.ContentType != "" {
		headers += "Content-Type: " + i.ContentType + "\r\n"
	}
	if i.ContentEncoding != "" {
		headers += "Content-Encoding: " + i.ContentEncoding + "\r\n"
	}
	if i.Chunk > 0 {
		return [][]byte{c.head("POST", "/api/recognize", headers+"Transfer-Encoding: chunked\r\n"), chunked(i.data, i.Chunk)}
	}
	parts := [][]byte{i.data}
	if strings.HasPrefix(i.ContentType, "image/") && i.ContentEncoding == "" && len(i.data) > 2 {
		parts = hostile.Salted(i.data, salt)
	}
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	return append([][]byte{c.head("POST", "/api/recognize", fmt.Sprintf("%sContent-Length: %d\r\n", headers, length))}, parts...)
}

// chunked is a body in chunks of that many bytes.
func chunked(data []byte, size int) []byte {
	var out []byte
	for chunk := range slices.Chunk(data, size) {
		out = fmt.Appendf(out, "%x\r\n", len(chunk))
		out = append(append(out, chunk...), "\r\n"...)
	}
	return append(out, "0\r\n\r\n"...)
}

// throwBombs has n clients send one bomb after the other.
func (a *attack) throwBombs(b *bench, s *service, n int, bombs []built) {
	for i := range n {
		a.group.Go(func() {
			c := s.client(1000 + i)
			defer c.close()
			for k := i; a.ctx.Err() == nil; k++ {
				if _, err := c.send(a.ctx, bombs[k%len(bombs)].request(c, b.serial.Add(1))); err != nil {
					a.failures.Add(1)
					pause(a.ctx, afterFailure)
				} else {
					a.answers.Add(1)
				}
			}
		})
	}
}

// besiege has n ordinary clients send images as fast as they are answered.
func (a *attack) besiege(b *bench, s *service, n int) {
	c := b.crowd(s, n)
	for worker := range n {
		a.group.Go(func() {
			defer c.clients[worker].close()
			for a.ctx.Err() == nil {
				status, wait := c.Do(a.ctx, worker, 0)
				if status == "ok" {
					a.answers.Add(1)
				} else {
					a.failures.Add(1)
				}
				if wait > 0 {
					pause(a.ctx, min(wait, 2*time.Second))
				}
			}
		})
	}
}

const claimed = 20 << 20 // bytes of a body that never comes

// claim has n clients announce a large body and send none of it.
func (a *attack) claim(s *service, n int) {
	a.each(n, 2000, func(ctx context.Context, address int) error {
		c := s.client(address)
		return hold(ctx, c, c.head("POST", "/api/recognize", fmt.Sprintf("Content-Type: image/jpeg\r\nContent-Length: %d\r\n", claimed)), nil)
	})
}

// sip is the interval of the bytes of a slow client.
const sip = time.Second

// slowHeaders has n clients send a header that does not end, a byte a second.
func (a *attack) slowHeaders(s *service, n int) {
	a.each(n, 3000, func(ctx context.Context, address int) error {
		return hold(ctx, s.client(address), []byte("POST /api/recognize HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "), []byte("a"))
	})
}

// slowBodies has n clients send a large body, a byte a second.
func (a *attack) slowBodies(s *service, n int) {
	a.each(n, 4000, func(ctx context.Context, address int) error {
		c := s.client(address)
		return hold(ctx, c, c.head("POST", "/api/recognize", fmt.Sprintf("Content-Type: image/jpeg\r\nContent-Length: %d\r\n", claimed)), []byte{0xff})
	})
}

// deafListeners has n clients request the stream of events, and read none of it.
func (a *attack) deafListeners(s *service, n int) {
	a.each(n, 5000, func(ctx context.Context, address int) error {
		c := s.client(address)
		if err := c.dial(ctx); err != nil {
			return err
		}
		defer c.close()
		if tcp, ok := c.conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4096) // a hint
		}
		if _, err := c.conn.Write(c.head("GET", "/api/events", "")); err != nil {
			return err
		}
		// A server that gives up resets the connection: a write fails then, a second later at most.
		for pause(ctx, sip) {
			if _, err := c.conn.Write([]byte("\r\n")); err != nil {
				return err
			}
		}
		return nil
	})
}

// hold sends the beginning of a request, and then a little more every second, until the server answers or closes the
// connection, or ctx ends.
func hold(ctx context.Context, c *client, beginning, more []byte) error {
	if err := c.dial(ctx); err != nil {
		return err
	}
	defer c.close()
	conn := c.conn
	if _, err := conn.Write(beginning); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { // ends with the connection
		defer close(ended)
		_, _ = conn.Read(make([]byte, 1)) // any answer, or the end
	}()
	defer func() { c.close(); <-ended }()
	for {
		select {
		case <-ended:
			return errNoAnswer // it comes again after a pause
		case <-ctx.Done():
			return nil
		case <-time.After(sip):
			if len(more) > 0 {
				if _, err := conn.Write(more); err != nil {
					return err
				}
			}
		}
	}
}
