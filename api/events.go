package api

import (
	"context"
	"fmt"
	"io"
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
	// OldestEvent returns the Seq of the oldest event that is kept, 0 if none is.
	OldestEvent(ctx context.Context) (int64, error)
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
	// streamTimeout is how long a client may take to receive what was sent to it: one that
	// does not read must not keep its buffers.
	streamTimeout = 10 * time.Second
	// catchingUp is how many streams read from the ledger at a time, because they are behind.
	catchingUp = 4
)

// events serves the stream of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (s *Server) serveEvents(c echo.Context) error {
	ctx := c.Request().Context()
	client := s.clientOf(c)
	if !s.streams.open(client) {
		return tooManyStreams
	}
	defer s.streams.close(client)
	feed, err := s.broadcast.join(ctx)
	if err != nil {
		return err
	}
	defer s.broadcast.leave(feed)
	after, gap, err := s.firstEvent(ctx, c.Request().Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	w, open, err := startStream(c)
	if err != nil || !open {
		return err
	}
	if gap != "" && w.write(gap) != nil {
		return nil // the client is gone
	}
	alive, recheck := time.NewTicker(keepAlive), time.NewTicker(recheckInterval)
	defer alive.Stop()
	defer recheck.Stop()
	for {
		frames, behind, changed, ended := s.broadcast.since(feed, after)
		if behind {
			if frames, err = s.catchUp(ctx, after); err != nil {
				return nil // as below
			}
		}
		if ended && len(frames) == 0 {
			return nil // the client resumes later
		}
		if after, err = w.send(frames, after, keyFrom(ctx)); err != nil {
			return nil // the client is gone, or does not read
		}
		if behind && len(frames) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-alive.C:
			if err := w.comment("still here"); err != nil {
				return nil
			}
		case <-recheck.C:
			if s.stillPermitted(c.Request()) != nil {
				return nil // the next request gets the error
			}
		case <-s.stopping.Done():
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// startStream begins to answer with server-sent events. open is false where there is nothing to send: the request was
// for the headers, or the client is gone.
func startStream(c echo.Context) (w *streamWriter, open bool, err error) {
	w = &streamWriter{Response: c.Response(), control: http.NewResponseController(c.Response().Writer)}
	if err := w.extend(); err != nil {
		return nil, false, fmt.Errorf("start the event stream: %w", err)
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if original(c.Request()).Method == http.MethodHead {
		return nil, false, nil
	}
	return w, w.comment("hello") == nil, nil
}

// streamWriter writes to a stream, with a time limit for each write.
type streamWriter struct {
	*echo.Response
	control *http.ResponseController
}

// extend sets the deadline for the next write: the server's own is for requests that end.
func (w *streamWriter) extend() error {
	return w.control.SetWriteDeadline(time.Now().Add(streamTimeout))
}

// send writes the frames that a key may follow, and returns the seq of the last one, or after.
func (w *streamWriter) send(frames []frame, after int64, key edgelens.Key) (int64, error) {
	if err := w.extend(); err != nil {
		return after, err
	}
	for _, f := range frames {
		if mayFollow(key, f.about) {
			if _, err := w.Write(f.text); err != nil {
				return after, err
			}
		}
		after = f.seq
	}
	return after, w.control.Flush()
}

// comment writes what clients ignore.
func (w *streamWriter) comment(text string) error { return w.write(": " + text + "\n\n") }

// write writes and flushes one text.
func (w *streamWriter) write(text string) error {
	if err := w.extend(); err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.control.Flush()
}

// firstEvent returns the event after which the stream begins, and the frame for a client that resumes after one that is older
// than what is kept; "" for others.
func (s *Server) firstEvent(ctx context.Context, last string) (after int64, gap string, err error) {
	newest, err := s.events.LastEvent(ctx)
	if err != nil || last == "" {
		return newest, "", err
	}
	after, err = strconv.ParseInt(last, 10, 64)
	if err != nil || after < 0 {
		return 0, "", fmt.Errorf("%w: Last-Event-ID must be the id of an event, not %q", edgelens.ErrInvalid, short(last))
	}
	// An id from before a backup was restored would hide the events until there are as many again.
	if after >= newest {
		return newest, "", nil
	}
	oldest, err := s.events.OldestEvent(ctx)
	if err != nil {
		return 0, "", err
	}
	if oldest == 0 {
		oldest = newest + 1
	}
	if oldest <= after+1 {
		return after, "", nil
	}
	// Its id is that of the last missing event, so that the next reconnection goes on after it.
	return oldest - 1, fmt.Sprintf("id: %d\nevent: gap\ndata: {\"after\":%d,\"oldest\":%d}\n\n", oldest-1, after, oldest), nil
}

// catchUp returns the events after that one from the ledger, a page of them, for a stream that
// is behind.
func (s *Server) catchUp(ctx context.Context, after int64) ([]frame, error) {
	select {
	case s.catching <- struct{}{}:
		defer func() { <-s.catching }()
	case <-s.stopping.Done():
		return nil, edgelens.ErrStopping
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	page, err := s.events.Events(ctx, after, eventsAtATime)
	if err != nil {
		return nil, err
	}
	frames := make([]frame, 0, len(page))
	for i := range page {
		frames = append(frames, newFrame(&page[i]))
	}
	return frames, nil
}
