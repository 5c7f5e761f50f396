package ledger

import (
	"context"
	"time"

	"edgelens/internal/loglimit"
)

const (
	// sensorSweepInterval is how often points are checked for their age.
	sensorSweepInterval = time.Minute
	// pointBytes, minuteBytes and seriesBytes are the approximate sizes of rows in the database, with their indexes.
	pointBytes, minuteBytes, seriesBytes = 40, 60, 400
	// pointsInStep is how many points of one series one statement removes, about, and seriesInStep of how many series
	// one transaction removes some.
	pointsInStep, seriesInStep = 2000, 50
	// shrinkShare is by which share of the kept time the oldest points are removed when there are too many.
	shrinkShare = 20
	// maxInsights is how many insights are kept.
	maxInsights = 20_000
)

// sensorBytes is the size of the points and minutes of sensors.
const sensorBytes = `(SELECT points * 40 + minutes * 60 + series * 400 FROM sensor_totals)`

// sensorSweeper removes old points and minutes. It is for one goroutine.
type sensorSweeper struct {
	db     *database
	config Config
	// swept is when all was last checked, by the monotonic clock; zero for never.
	swept   time.Duration
	limited loglimit.Limiter
}

// sweep removes what is too old, and the oldest while there is too much.
func (s *sensorSweeper) sweep(ctx context.Context, now time.Time) (removed int, err error) {
	monotonic := s.db.clock().Monotonic
	if s.swept != 0 && monotonic-s.swept < sensorSweepInterval {
		return 0, nil
	}
	s.swept = monotonic
	for _, step := range []func() (int, error){
		func() (int, error) { return s.removePoints(ctx, now.Add(-s.config.SensorKeepPoints).UnixMicro()) },
		func() (int, error) {
			return s.removeMinutes(ctx, minuteOf(now.Add(-s.config.SensorKeepMinutes).UnixMicro()))
		},
		func() (int, error) { return s.removeOverBytes(ctx) },
		func() (int, error) { return s.removeSeries(ctx, now) },
	} {
		n, err := step()
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// removePoints removes the points from before a time.
func (s *sensorSweeper) removePoints(ctx context.Context, before int64) (int, error) {
	return s.removeFrom(ctx, `at`, `sensor_points`, before)
}

// removeMinutes removes the minutes before one.
func (s *sensorSweeper) removeMinutes(ctx context.Context, before int64) (int, error) {
	return s.removeFrom(ctx, `minute`, `sensor_minutes`, before)
}

// removeFrom removes the rows of a table from before a time, of some series at a time.
func (s *sensorSweeper) removeFrom(ctx context.Context, column, table string, before int64) (removed int, err error) {
	next := int64(0)
	for {
		ids, err := s.seriesWith(ctx, column, table, next, before)
		if err != nil || len(ids) == 0 {
			return removed, err
		}
		for more := true; more; {
			more = false
			err = s.db.write(ctx, func(c *change) error {
				for _, id := range ids {
					n, err := removeStep(c, column, table, id, before)
					if err != nil {
						return err
					}
					removed += int(n)
					more = more || n > pointsInStep
				}
				return nil
			})
			if err != nil {
				return removed, err
			}
		}
		next = ids[len(ids)-1]
	}
}

// seriesWith returns some series behind an id that have rows from before a time.
func (s *sensorSweeper) seriesWith(ctx context.Context, column, table string, behind, before int64) (ids []int64, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT id FROM sensor_series s WHERE id > ? AND EXISTS (SELECT 1 FROM `+table+` t WHERE t.series = s.id AND t.`+column+` < ?) ORDER BY id LIMIT ?`,
		behind, before, seriesInStep)
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

// removeStep removes the oldest rows of a series from before a time: some more than pointsInStep where there are more.
func removeStep(c *change, column, table string, series, before int64) (int64, error) {
	n, err := c.exec(`DELETE FROM `+table+` WHERE series = ?1 AND `+column+` < ?2 AND `+column+` <=
		coalesce((SELECT `+column+` FROM `+table+` WHERE series = ?1 AND `+column+` < ?2 ORDER BY `+column+` LIMIT 1 OFFSET ?3), ?2)`, series, before, pointsInStep)
	if err != nil || n == 0 || table != `sensor_points` {
		return n, err
	}
	_, err = c.exec(`UPDATE sensor_totals SET points = points - ?`, n)
	return n, err
}

// removeOverBytes removes the oldest points, or minutes where those are more, while both exceed
// Config.SensorMaxBytes.
func (s *sensorSweeper) removeOverBytes(ctx context.Context) (removed int, err error) {
	for ctx.Err() == nil {
		var total, points, minutes int64
		err := s.db.readers.QueryRowContext(ctx, `SELECT `+sensorBytes+`, points * ?, minutes * ? FROM sensor_totals`, pointBytes, minuteBytes).Scan(&total, &points, &minutes)
		if err != nil || total <= s.config.SensorMaxBytes {
			return removed, err
		}
		column, table, remove := `at`, `sensor_points`, s.removePoints
		if minutes > points {
			column, table, remove = `minute`, `sensor_minutes`, s.removeMinutes
		}
		before, err := s.shrunk(ctx, column, table)
		if err != nil {
			return removed, err
		}
		n, err := remove(ctx, before)
		removed += n
		if err != nil || n == 0 {
			return removed, err
		}
		if suppressed, ok := s.limited.Pass("space", s.db.now()); ok {
			s.db.log.Warn("points of sensors are removed for space before they reach their age: raise sensor.max_bytes, or lower sensor.keep_points or sensor.keep_minutes",
				"event", "sensor_space_short", "removed", n, "max_bytes", s.config.SensorMaxBytes, "suppressed", suppressed)
		}
	}
	return removed, ctx.Err()
}

// shrunk returns a time within the rows of a table that leaves out a share of their time.
func (s *sensorSweeper) shrunk(ctx context.Context, column, table string) (int64, error) {
	var oldest, newest int64
	err := s.db.readers.QueryRowContext(ctx, `SELECT coalesce(min((SELECT min(`+column+`) FROM `+table+` t WHERE t.series = s.id)), 0),
		coalesce(max((SELECT max(`+column+`) FROM `+table+` t WHERE t.series = s.id)), 0) FROM sensor_series s`).Scan(&oldest, &newest)
	return oldest + (newest-oldest)/shrinkShare + 1, err
}

// removeSeries removes the series that have no rows any more and were not described lately.
func (s *sensorSweeper) removeSeries(ctx context.Context, now time.Time) (int, error) {
	return repeat(func() (int, error) {
		return s.db.execute(ctx, `DELETE FROM sensor_series WHERE id IN (SELECT id FROM sensor_series s WHERE seen_at < ?
			AND NOT EXISTS (SELECT 1 FROM sensor_points WHERE series = s.id) AND NOT EXISTS (SELECT 1 FROM sensor_minutes WHERE series = s.id) LIMIT ?)`,
			now.Add(-describedFor).UnixMicro(), sweepBatch)
	})
}
