package ledger

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"edgelens"
)

// CountSeries returns what EraseSeries would erase. Its error is an edgelens.ErrInvalid for an empty filter.
func (s *Erasure) CountSeries(ctx context.Context, filter edgelens.SeriesErasure) (edgelens.ErasedSeries, error) {
	erased, err := s.countSeries(ctx, filter)
	return erased, s.db.explain("count what is to be erased", err)
}

// EraseSeries erases series of sensors: what they are called, their points and minutes, and the insights about them with
// their events and undelivered entries. Where it takes long, it returns with ErasedSeries.Complete false, to be called
// again. What it has erased with an error is in ErasedSeries, too. A series that was described since the given moment has
// begun anew, and keeps its description. Errors: edgelens.ErrInvalid for an empty filter.
func (s *Erasure) EraseSeries(ctx context.Context, filter edgelens.SeriesErasure, begun time.Time) (edgelens.ErasedSeries, error) {
	erased, err := s.eraseSeries(ctx, filter, begun)
	return erased, s.db.explain("erase series of sensors", err)
}

// ofSeries returns the condition of the rows of series and insights that a filter selects.
func ofSeries(filter edgelens.SeriesErasure) (condition string, args []any, err error) {
	var all []string
	if filter.Series != "" {
		all, args = append(all, `series = ?`), append(args, filter.Series)
	}
	if filter.Device != "" {
		all, args = append(all, `device = ?`), append(args, filter.Device)
	}
	if len(all) == 0 {
		return "", nil, fmt.Errorf("%w: an erasure needs a series or a device", edgelens.ErrInvalid)
	}
	return strings.Join(all, ` AND `), args, nil
}

func (s *Erasure) countSeries(ctx context.Context, filter edgelens.SeriesErasure) (all edgelens.ErasedSeries, err error) {
	condition, args, err := ofSeries(filter)
	if err != nil {
		return all, err
	}
	err = s.db.readers.QueryRowContext(ctx, `SELECT count(*), coalesce(sum((SELECT count(*) FROM sensor_points WHERE series = s.id)), 0),
		coalesce(sum((SELECT count(*) FROM sensor_minutes WHERE series = s.id)), 0) FROM (SELECT id FROM sensor_series WHERE `+condition+`) s`, args...).
		Scan(&all.Series, &all.Points, &all.Minutes)
	if err != nil {
		return all, err
	}
	all.Complete = true
	return all, s.db.readers.QueryRowContext(ctx, `SELECT count(*), coalesce(sum((SELECT count(*) FROM outbox WHERE record_id = i.id)), 0)
		FROM (SELECT id FROM insights WHERE `+condition+`) i`, args...).Scan(&all.Insights, &all.Undelivered)
}

func (s *Erasure) eraseSeries(ctx context.Context, filter edgelens.SeriesErasure, begun time.Time) (all edgelens.ErasedSeries, err error) {
	condition, args, err := ofSeries(filter)
	if err != nil {
		return all, err
	}
	end := time.Now().Add(eraseTime)
	ids, err := s.seriesIn(ctx, condition, args)
	if err != nil {
		return all, err
	}
	for _, id := range ids {
		points, done, err := s.eraseRows(ctx, `at`, `sensor_points`, id, end)
		all.Points += points
		if err != nil || !done {
			return all, err
		}
		minutes, done, err := s.eraseRows(ctx, `minute`, `sensor_minutes`, id, end)
		all.Minutes += minutes
		if err != nil || !done {
			return all, err
		}
	}
	for {
		if time.Now().After(end) {
			return all, nil
		}
		insights, undelivered, err := s.eraseInsights(ctx, condition, args)
		all.Insights += insights
		all.Undelivered += undelivered
		if err != nil {
			return all, err
		}
		if insights == 0 {
			break
		}
	}
	for _, id := range ids { // last, so that a call that goes on finds them
		if err := s.eraseDescription(ctx, id, begun); err != nil {
			return all, err
		}
		all.Series++
	}
	all.Complete = true
	return all, nil
}

// seriesIn returns the short ids of the series for which a condition holds.
func (s *Erasure) seriesIn(ctx context.Context, condition string, args []any) (ids []int64, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT id FROM sensor_series WHERE `+condition+` ORDER BY id`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// eraseRows erases the points or minutes of a series, some in each transaction; done is false where the time was over
// before.
func (s *Erasure) eraseRows(ctx context.Context, column, table string, id int64, end time.Time) (erased int64, done bool, err error) {
	for time.Now().Before(end) {
		var n int64
		err := overwrite(ctx, s.db, func(c *change) (err error) {
			n, err = removeStep(c, column, table, id, math.MaxInt64)
			return err
		})
		if err != nil {
			return erased, false, err
		}
		if n == 0 {
			return erased, true, nil
		}
		erased += n
	}
	return erased, false, nil
}

// eraseDescription erases the row of a series, or, of one that has begun anew, its last value, unless that is of a new
// point.
func (s *Erasure) eraseDescription(ctx context.Context, id int64, begun time.Time) error {
	const empty = ` AND NOT EXISTS (SELECT 1 FROM sensor_points WHERE series = ?1) AND NOT EXISTS (SELECT 1 FROM sensor_minutes WHERE series = ?1)`
	return overwrite(ctx, s.db, func(c *change) error {
		n, err := c.exec(`DELETE FROM sensor_series WHERE id = ?1 AND seen_at < ?2`+empty, id, begun.UnixMicro())
		if err != nil || n > 0 {
			return err
		}
		_, err = c.exec(`UPDATE sensor_series SET last_at = NULL, last_value = NULL WHERE id = ?1`+empty, id)
		return err
	})
}

// eraseInsights erases a batch of insights with the events about them, and their undelivered entries.
func (s *Erasure) eraseInsights(ctx context.Context, condition string, args []any) (insights, undelivered int64, err error) {
	ids, err := s.insightsIn(ctx, condition, args)
	if err != nil || len(ids) == 0 {
		return 0, 0, err
	}
	err = s.eraseWithEvents(ctx, ids, func(c *change) error {
		insights, undelivered = 0, 0
		for _, id := range ids {
			removed, err := s.outbox.remove(c, `record_id = ?`, id)
			if err != nil {
				return err
			}
			undelivered += int64(len(removed))
			n, err := c.exec(`DELETE FROM insights WHERE id = ?`, id)
			if err != nil {
				return err
			}
			insights += n
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	return insights, undelivered, nil
}

func (s *Erasure) insightsIn(ctx context.Context, condition string, args []any) (ids []any, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT id FROM insights WHERE `+condition+` ORDER BY seq LIMIT ?`, append(args[:len(args):len(args)], eraseBatch)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
