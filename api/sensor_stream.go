package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

const (
	// maxStreamed is how many series one stream may have.
	maxStreamed = 64
	// streamedBuffer is how many points wait for a client that is slow for a moment; more are lost, and counted.
	streamedBuffer = 1000
	// streamedTogether is for how long points are gathered after some were sent: each write takes some microseconds.
	streamedTogether = 100 * time.Millisecond
)

// pointData is the data of a point's event.
type pointData struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Value   float64   `json:"value"`
	Anomaly bool      `json:"anomaly"`
}

// pointsAt is how far a stream is: the Seq of the last point of each series that was sent, in the order of ids. The id
// of an event is the run of the service and these, so that a client which resumes gets what it missed, of each.
type pointsAt struct {
	run  string
	ids  []string
	seqs []int64
	// otherRun is set where the client comes from an earlier run.
	otherRun bool
}

// newPointsAt returns the position that a Last-Event-ID names: the beginning of the windows, where it is of an earlier run,
// in which all that is there has been missed. Its error is an edgelens.ErrInvalid for an id of no such stream.
func newPointsAt(run string, ids []string, last string) (*pointsAt, error) {
	at := &pointsAt{run: run, ids: ids, seqs: make([]int64, len(ids))}
	of, rest, found := strings.Cut(last, ".")
	if last == "" || found && of != run {
		at.otherRun = last != ""
		return at, nil
	}
	parts := strings.Split(rest, ".")
	if !found || len(parts) != len(ids) {
		return nil, fmt.Errorf("%w: Last-Event-ID must be the id of an event of a stream of the same series, not %q", edgelens.ErrInvalid, short(last))
	}
	for i, part := range parts {
		seq, err := strconv.ParseInt(part, 36, 64)
		if err != nil || seq < 0 {
			return nil, fmt.Errorf("%w: Last-Event-ID must be the id of an event, not %q", edgelens.ErrInvalid, short(last))
		}
		at.seqs[i] = seq
	}
	return at, nil
}

// frame returns the event of a point, and moves on to it; nil for one that was sent before.
func (a *pointsAt) frame(p *edgelens.Point) []byte {
	i := slices.Index(a.ids, p.Series)
	if i < 0 || p.Seq <= a.seqs[i] {
		return nil
	}
	a.seqs[i] = p.Seq
	data, err := json.Marshal(pointData{ID: p.Series, At: p.At.UTC(), Value: p.Value, Anomaly: p.Anomaly != nil})
	if err != nil {
		return nil // values are finite
	}
	id := a.run
	for _, seq := range a.seqs {
		id += "." + strconv.FormatInt(seq, 36)
	}
	return fmt.Appendf(nil, "id: %s\nevent: point\ndata: %s\n\n", id, data)
}

// serveSensorStream answers GET /api/sensors/stream.
func (s *Server) serveSensorStream(c echo.Context) error {
	ctx := c.Request().Context()
	ids, err := s.streamedSeries(c)
	if err != nil {
		return err
	}
	last := c.Request().Header.Get("Last-Event-ID")
	at, err := newPointsAt(s.sensors.Run(), ids, last)
	if err != nil {
		return err
	}
	client := s.clientOf(c)
	if !s.streams.open(client) {
		return tooManyStreams
	}
	defer s.streams.close(client)
	points, err := s.sensors.Follow(ids, streamedBuffer)
	if err != nil {
		return err
	}
	defer points.Close()
	w, open, err := startStream(c)
	if err != nil || !open {
		return err
	}
	if last != "" {
		missed, gap := s.missed(at)
		if gap && w.noteGap() != nil || w.sendPoints(at, missed) != nil {
			return nil
		}
	}
	alive, recheck := time.NewTicker(keepAlive), time.NewTicker(recheckInterval)
	defer alive.Stop()
	defer recheck.Stop()
	var lost int64
	for {
		select {
		case p, open := <-points.C():
			if !open || w.sendPoints(at, withQueued(p, points)) != nil || w.noteLost(points.Lost(), &lost) != nil {
				return nil // the client is gone, or does not read, or the service stops
			}
			select {
			case <-time.After(streamedTogether):
			case <-ctx.Done():
				return nil
			case <-s.stopping.Done():
				return nil
			}
		case <-alive.C:
			if w.comment("still here") != nil {
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

// streamedSeries returns the series of a stream, all of which the key may follow.
func (s *Server) streamedSeries(c echo.Context) ([]string, error) {
	ids := slices.Clone(c.QueryParams()["id"])
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 || len(ids) > maxStreamed {
		return nil, fmt.Errorf("%w: id must be given 1 to %d times, as in ?id=...&id=...; /api/sensors lists them", edgelens.ErrInvalid, maxStreamed)
	}
	for _, id := range ids {
		if err := s.mayFollowSeries(c.Request().Context(), id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// missed returns the points after a position that are still in the windows, by time, and whether there may have been others:
// those of an earlier run, or that left the windows.
func (s *Server) missed(at *pointsAt) (all []edgelens.Point, gap bool) {
	gap = at.otherRun
	for i, id := range at.ids {
		recent := s.sensors.Recent(id, at.seqs[i])
		gap = gap || len(recent) > 0 && at.seqs[i] > 0 && recent[0].Seq > at.seqs[i]+1
		all = append(all, recent...)
	}
	slices.SortStableFunc(all, func(a, b edgelens.Point) int {
		if a.Series == b.Series {
			return cmp.Compare(a.Seq, b.Seq)
		}
		return a.At.Compare(b.At)
	})
	return all, gap
}

// withQueued returns a point and those that are queued behind it.
func withQueued(first edgelens.Point, stream PointStream) []edgelens.Point {
	all := []edgelens.Point{first}
	for len(all) < streamedBuffer {
		select {
		case p, open := <-stream.C():
			if !open {
				return all
			}
			all = append(all, p)
		default:
			return all
		}
	}
	return all
}

// sendPoints writes the events of points.
func (w *streamWriter) sendPoints(at *pointsAt, points []edgelens.Point) error {
	if err := w.extend(); err != nil {
		return err
	}
	for i := range points {
		if _, err := w.Write(at.frame(&points[i])); err != nil {
			return err
		}
	}
	return w.control.Flush()
}

// noteGap writes that points before the next ones may be missing.
func (w *streamWriter) noteGap() error {
	_, err := io.WriteString(w, "event: gap\ndata: {}\n\n")
	return err
}

// noteLost writes how many points were lost since the last time.
func (w *streamWriter) noteLost(now int64, before *int64) error {
	if now == *before {
		return nil
	}
	_, err := fmt.Fprintf(w, "event: lost\ndata: {\"count\":%d}\n\n", now-*before)
	*before = now
	return err
}
