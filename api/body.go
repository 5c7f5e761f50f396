package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

const (
	// minRate is the least number of bytes of a body that must arrive in a second, on
	// average, once rateGrace has passed.
	minRate   = 16 << 10
	rateGrace = 5 * time.Second
)

// tooSlow is the error of a body that arrives slower than minRate, or not within
// http.read_timeout.
var tooSlow = &refusal{reason: refusedSlow, error: echo.NewHTTPError(http.StatusRequestTimeout, fmt.Sprintf(
	"The body arrived too slowly: after %.0f seconds, at least %d kB a second are needed, and all of it within http.read_timeout. Send it again, over a better connection or scaled down.", rateGrace.Seconds(), minRate>>10))}

// pacedBody reads a body from its connection, and gives up where it arrives too slowly or
// the service stops.
type pacedBody struct {
	io.ReadCloser
	server   *Server
	exchange *exchange
	response http.ResponseWriter
	upload   *reservation

	begun, paced time.Time
	arrived      int64
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	b.exchange.bodyRead = true
	if b.server.isStopping() {
		return 0, errStopping
	}
	now := time.Now()
	if b.begun.IsZero() {
		b.begun = now
	}
	if now.Sub(b.paced) >= b.server.rateGrace/5 {
		b.paced = now
		setReadDeadline(b.response, b.deadline())
		if b.server.isStopping() { // the deadline may have replaced the one that ends the reading
			return 0, errStopping
		}
	}
	n, err := b.ReadCloser.Read(p)
	if b.arrived += int64(n); n > 0 {
		b.upload.progress(now)
	}
	if err != nil {
		b.upload.finish()
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		// The same deadline ends the watch over the connection while the request is
		// handled, as net/http has it.
		setReadDeadline(b.response, b.begun.Add(b.server.config.ReadTimeout))
	case !errors.Is(err, os.ErrDeadlineExceeded):
	case b.server.isStopping():
		err = errStopping
	case b.upload.wasCut():
		err = tooManyUploads
	default:
		err = tooSlow
	}
	return n, err
}

// deadline is when the body is too slow, if nothing more of it arrives.
func (b *pacedBody) deadline() time.Time {
	allowed := b.server.rateGrace + time.Duration(b.arrived)*time.Second/minRate
	return b.begun.Add(min(allowed, b.server.config.ReadTimeout))
}

// errStopping is the error of a request that is not read any more.
var errStopping = &refusal{reason: refusedStopping, error: fmt.Errorf("read the request: %w", edgelens.ErrStopping)}

// reservedBody reads as much of a body as memory is reserved for, and reserves more as it
// arrives and is held.
type reservedBody struct {
	io.ReadCloser
	upload *reservation
}

// Read implements io.Reader.
func (b *reservedBody) Read(p []byte) (int, error) {
	u := b.upload
	// Beyond its limit the body has an error of its own.
	if u.held >= u.bytes && u.held < u.total && !u.grow() {
		return 0, tooManyUploads
	}
	if room := u.bytes - u.held; room > 0 && int64(len(p)) > room {
		p = p[:room]
	}
	n, err := b.ReadCloser.Read(p)
	u.held += int64(n)
	return n, err
}
