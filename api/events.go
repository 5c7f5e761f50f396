package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// Events provides the events, in order.
type Events interface {
	// Events returns up to limit events after the one with that Seq.
	Events(ctx context.Context, after int64, limit int) ([]edgelens.Event, error)
	// LastEvent returns the Seq of the newest event, 0 if there is none.
	LastEvent(ctx context.Context) (int64, error)
	// Subscribe returns a channel that receives a value after there were new
	// events, until cancel is called.
	Subscribe() (wake <-chan struct{}, cancel func())
}

const (
	eventsAtATime = 100
	// keepAlive keeps proxies from closing a quiet stream, and detects a
	// client that is gone.
	keepAlive = 15 * time.Second
	// recheckInterval is how soon the stream of a key ends that was revoked or has
	// expired.
	recheckInterval = 2 * time.Second
)

// events serves the stream of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (s *Server) serveEvents(c echo.Context) error {
	ctx := c.Request().Context()
	wake, cancel := s.events.Subscribe() // before the first query, so that no event is missed
	defer cancel()
	after, err := s.firstEvent(ctx, c.Request().Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	w := c.Response()
	// The server's timeouts are for requests that end.
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("start the event stream: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if original(c.Request()).Method == http.MethodHead {
		return nil
	}
	if _, err := fmt.Fprint(w, ": hello\n\n"); err != nil {
		return nil // gone already
	}
	alive, recheck := time.NewTicker(keepAlive), time.NewTicker(recheckInterval)
	defer alive.Stop()
	defer recheck.Stop()
	for {
		after, err = s.sendEvents(ctx, w, after)
		if err != nil {
			return nil // the client is gone, or the service stops; the client resumes later
		}
		w.Flush()
		select {
		case <-wake:
		case <-alive.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return nil
			}
		case <-recheck.C:
			if s.stillPermitted(c.Request()) != nil {
				return nil // the next request gets the error
			}
		case <-s.stopping:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// firstEvent returns the event after which the stream begins.
func (s *Server) firstEvent(ctx context.Context, last string) (int64, error) {
	if last == "" {
		return s.events.LastEvent(ctx)
	}
	after, err := strconv.ParseInt(last, 10, 64)
	if err != nil || after < 0 {
		return 0, fmt.Errorf("%w: Last-Event-ID must be the id of an event, not %q", edgelens.ErrInvalid, short(last))
	}
	return after, nil
}

// sendEvents writes every event after that one and returns the Seq of the last.
func (s *Server) sendEvents(ctx context.Context, w http.ResponseWriter, after int64) (int64, error) {
	for {
		page, err := s.events.Events(ctx, after, eventsAtATime)
		if err != nil {
			return after, err
		}
		for _, e := range page {
			if !mayFollow(keyFrom(ctx), e) {
				after = e.Seq
				continue
			}
			if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Type, e.Data); err != nil {
				return after, err
			}
			after = e.Seq
		}
		if len(page) < eventsAtATime {
			return after, nil
		}
	}
}
