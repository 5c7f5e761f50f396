package ledger

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"edgelens"
	"edgelens/internal/loglimit"
)

const (
	// pointLead is how far ahead of the clock the time of a point may be.
	pointLead = 24 * time.Hour
	// pointsAtATime is how many points one statement inserts.
	pointsAtATime = 100
	// describedFor is for how long at least a series without points is kept after it was described: its points may
	// come without another description for an hour.
	describedFor = 2 * time.Hour
)

// The values of sensor_points.flags.
const (
	flagAnomaly = 1 << iota
	flagUnknown
	flagReplayed
)

// Sensors keeps points of series: each for Config.SensorKeepPoints, and summaries of minutes for
// Config.SensorKeepMinutes. It is safe for use by many goroutines.
type Sensors struct {
	db      *database
	config  Config
	limited loglimit.Limiter
	// tooOld and ahead count the points that were not stored for their times.
	tooOld, ahead atomic.Int64
}

// SavePoints stores points, and adds them to the summaries of their minutes; series describes those that are new or
// changed. A replayed point that is stored already changes nothing. Points older than Config.SensorKeepPoints, or
// more than a day ahead of the clock, are counted, logged and left out.
//
// Its error is an edgelens.ErrInvalid where a point has no number or belongs to a series that was never described; then
// nothing is stored, and it never will be.
func (s *Sensors) SavePoints(ctx context.Context, points []edgelens.Point, series []edgelens.StoredSeries) error {
	for i := range points {
		if p := &points[i]; p.Series == "" || math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
			return s.db.explain("store the points of sensors", fmt.Errorf("%w: a point of %q has the value %v", edgelens.ErrInvalid, p.Series, p.Value))
		}
	}
	now := s.db.now()
	points = s.inTime(points, now)
	if len(points)+len(series) == 0 {
		return nil
	}
	return s.db.explain("store the points of sensors", s.db.writeWithOthers(ctx, func(c *change) error {
		for _, one := range series {
			if err := describeSeries(c, one, now); err != nil {
				return err
			}
		}
		return savePoints(c, points)
	}))
}

// inTime returns the points whose times may be stored.
func (s *Sensors) inTime(points []edgelens.Point, now time.Time) []edgelens.Point {
	oldest, newest := now.Add(-s.config.SensorKeepPoints), now.Add(pointLead)
	kept := make([]edgelens.Point, 0, len(points))
	for _, p := range points {
		switch {
		case p.At.Before(oldest):
			s.leaveOut(&s.tooOld, p, "its time is before what is kept (sensor.keep_points)", now)
		case p.At.After(newest):
			s.leaveOut(&s.ahead, p, "its time is more than a day ahead", now)
		default:
			kept = append(kept, p)
		}
	}
	return kept
}

func (s *Sensors) leaveOut(count *atomic.Int64, p edgelens.Point, reason string, now time.Time) {
	count.Add(1)
	if suppressed, ok := s.limited.Pass(reason, now); ok {
		s.db.log.Warn("a point of a sensor was not stored", "event", "sensor_point_left_out", "series", p.Series, "at", p.At, "reason", reason, "suppressed", suppressed)
	}
}

func describeSeries(c *change, s edgelens.StoredSeries, now time.Time) error {
	_, err := c.exec(`INSERT INTO sensor_series (series, device, field, unit, location, seen_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (series) DO UPDATE SET unit = excluded.unit, location = excluded.location, seen_at = excluded.seen_at`,
		s.ID, s.Device, s.Field, s.Unit, s.Location, now.UnixMicro())
	return err
}

// savePoints inserts points, and adds those that are new to their minutes.
func savePoints(c *change, points []edgelens.Point) error {
	ids, err := seriesIDs(c, points)
	if err != nil {
		return err
	}
	sums := newPointSums()
	for len(points) > 0 {
		n := min(len(points), pointsAtATime)
		if err := insertPoints(c, points[:n], ids, sums); err != nil {
			return err
		}
		points = points[n:]
	}
	return sums.save(c)
}

// seriesIDs returns the short ids of the series of points.
func seriesIDs(c *change, points []edgelens.Point) (map[string]int64, error) {
	ids := map[string]int64{}
	for i := range points {
		series := points[i].Series
		if _, known := ids[series]; known {
			continue
		}
		var id int64
		err := c.QueryRowContext(c.ctx, `SELECT coalesce((SELECT id FROM sensor_series WHERE series = ?), 0)`, series).Scan(&id)
		if err != nil {
			return nil, err
		}
		if id == 0 {
			return nil, fmt.Errorf("%w: the series %q was never described", edgelens.ErrInvalid, series)
		}
		ids[series] = id
	}
	return ids, nil
}

func flagsOf(p *edgelens.Point) (flags int64) {
	if p.Anomaly != nil {
		flags |= flagAnomaly
	}
	switch p.Freshness {
	case edgelens.FreshnessUnknown:
		flags |= flagUnknown
	case edgelens.FreshnessReplayed:
		flags |= flagReplayed
	}
	return flags
}

// Series returns the stored series, those with the newest points first, at most limit.
func (s *Sensors) Series(ctx context.Context, limit int) ([]edgelens.StoredSeries, error) {
	all, err := s.list(ctx, `WHERE last_at IS NOT NULL ORDER BY last_at DESC LIMIT ?`, limit)
	return all, s.db.explain("list the series of sensors", err)
}

// OneSeries returns a stored series. Its error is an edgelens.ErrNotFound for an unknown id.
func (s *Sensors) OneSeries(ctx context.Context, id string) (edgelens.StoredSeries, error) {
	all, err := s.list(ctx, `WHERE series = ?`, id)
	if err == nil && len(all) == 0 {
		return edgelens.StoredSeries{}, fmt.Errorf("look up a series: %w: no series has the id %q", edgelens.ErrNotFound, id)
	}
	if err != nil {
		return edgelens.StoredSeries{}, s.db.explain("look up a series", err)
	}
	return all[0], nil
}

func (s *Sensors) list(ctx context.Context, condition string, args ...any) (all []edgelens.StoredSeries, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT series, device, field, unit, location, coalesce(last_at, 0), coalesce(last_value, 0) FROM sensor_series `+condition, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one edgelens.StoredSeries
		var at int64
		if err := rows.Scan(&one.ID, &one.Device, &one.Field, &one.Unit, &one.Location, &at, &one.Last); err != nil {
			return nil, err
		}
		if at != 0 {
			one.LastAt = time.UnixMicro(at).UTC()
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
