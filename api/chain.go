package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// Chains exports the chains of the devices' events.
type Chains interface {
	// Export writes the chain of a device, a JSON object a line. Its error is an edgelens.ErrNotFound, before anything is
	// written, for a device without one.
	Export(ctx context.Context, device string, w io.Writer) error
}

// noChains is the Chains of a server without them.
type noChains struct{}

func (noChains) Export(context.Context, string, io.Writer) error {
	return fmt.Errorf("%w: this node keeps no chains of events", edgelens.ErrNotFound)
}

// serveChain answers GET /api/devices/{id}/chain.
func (s *Server) serveChain(c echo.Context) error {
	ctx, device := c.Request().Context(), c.Param("id")
	if err := checkUse(ctx, device); err != nil {
		return err
	}
	if !keyFrom(ctx).MaySee("", device) {
		return fmt.Errorf("%w: the key sees no events of this device; it needs --see-all, or to be for this device", edgelens.ErrNotFound)
	}
	select {
	case s.exporting <- struct{}{}:
		defer func() { <-s.exporting }()
	default:
		return tooManyExports
	}
	w := &chainWriter{response: c.Response()}
	buffered := bufio.NewWriterSize(w, 32<<10)
	err := s.chains.Export(ctx, device, buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil && w.began {
		return abort()
	}
	return err
}

// chainWriter begins the response with the first bytes: an error before them has its own.
type chainWriter struct {
	response *echo.Response
	began    bool
}

// Write implements io.Writer.
func (w *chainWriter) Write(text []byte) (int, error) {
	if !w.began {
		w.began = true
		w.response.Header().Set("Content-Type", "application/x-ndjson")
		w.response.Header().Set("Cache-Control", "no-store")
		w.response.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(w.response.Writer).SetWriteDeadline(time.Now().Add(exportTimeout)) // fails without a connection, as in a test
	return w.response.Write(text)
}
