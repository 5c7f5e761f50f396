package ledger

import (
	"context"
	"fmt"
	"time"

	"edgelens"
)

// maxHistory is how many points one query returns at most.
const maxHistory = 5000

// Points returns the stored points of a series, summarized by PointQuery.Step, or by a longer one where there would be
// more than 5000 or only the summaries of minutes are kept. Errors: edgelens.ErrNotFound for an unknown series,
// edgelens.ErrInvalid for times that are not in order.
func (s *Sensors) Points(ctx context.Context, q edgelens.PointQuery) (edgelens.PointHistory, error) {
	history, err := s.points(ctx, q)
	return history, s.db.explain("read the points of a series", err)
}

func (s *Sensors) points(ctx context.Context, q edgelens.PointQuery) (edgelens.PointHistory, error) {
	if !q.Since.Before(q.Until) || q.Step < 0 {
		return edgelens.PointHistory{}, fmt.Errorf("%w: since must be before until, and step not negative", edgelens.ErrInvalid)
	}
	var id int64
	err := s.db.readers.QueryRowContext(ctx, `SELECT coalesce((SELECT id FROM sensor_series WHERE series = ?), 0)`, q.Series).Scan(&id)
	if err != nil {
		return edgelens.PointHistory{}, err
	}
	if id == 0 {
		return edgelens.PointHistory{}, fmt.Errorf("%w: no series has the id %q", edgelens.ErrNotFound, q.Series)
	}
	step, err := s.step(ctx, id, q)
	if err != nil {
		return edgelens.PointHistory{}, err
	}
	since, until := q.Since.UnixMicro(), q.Until.UnixMicro()
	var points []edgelens.PointSummary
	switch {
	case step == 0:
		points, err = s.summaries(ctx, `SELECT at, value, value, value, 1, flags & 1 FROM sensor_points WHERE series = ? AND at >= ? AND at < ? ORDER BY at, seq`, id, since, until)
	case step < time.Minute:
		points, err = s.summaries(ctx, `SELECT at / ?1 * ?1 AS t, avg(value), min(value), max(value), count(*), sum(flags & 1)
			FROM sensor_points WHERE series = ?2 AND at >= ?3 AND at < ?4 GROUP BY t ORDER BY t`, step.Microseconds(), id, since, until)
	default:
		points, err = s.summaries(ctx, `SELECT minute / ?1 * ?1 AS t, sum(sum) / sum(count), min(min), max(max), sum(count), sum(anomalies)
			FROM sensor_minutes WHERE series = ?2 AND minute >= ?3 AND minute < ?4 GROUP BY t ORDER BY t`,
			int64(step/time.Minute), id, minuteOf(since), minuteOf(until-1)+1)
		for i := range points { // minutes, as summaries reads microseconds
			points[i].At = time.Unix(points[i].At.UnixMicro()*60, 0).UTC()
		}
	}
	return edgelens.PointHistory{Step: step, Points: points}, err
}

// step returns the time of a summary: whole minutes from one on.
func (s *Sensors) step(ctx context.Context, id int64, q edgelens.PointQuery) (time.Duration, error) {
	step := q.Step.Round(time.Microsecond)
	kept := !q.Since.Before(s.db.now().Add(-s.config.SensorKeepPoints))
	if step == 0 && kept {
		var count int
		err := s.db.readers.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM sensor_points WHERE series = ? AND at >= ? AND at < ? LIMIT ?)`,
			id, q.Since.UnixMicro(), q.Until.UnixMicro(), maxHistory+1).Scan(&count)
		if err != nil || count <= maxHistory {
			return 0, err
		}
	}
	step = max(step, (q.Until.Sub(q.Since)/(maxHistory-1)).Round(time.Second)+time.Second)
	if step < time.Minute && kept {
		return step, nil
	}
	return (step + time.Minute - 1).Truncate(time.Minute), nil
}

func (s *Sensors) summaries(ctx context.Context, query string, args ...any) (all []edgelens.PointSummary, err error) {
	rows, err := s.db.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p edgelens.PointSummary
		var at int64
		if err := rows.Scan(&at, &p.Mean, &p.Min, &p.Max, &p.Count, &p.Anomalies); err != nil {
			return nil, err
		}
		p.At = time.UnixMicro(at).UTC()
		all = append(all, p)
	}
	return all, rows.Err()
}
