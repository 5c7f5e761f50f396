package ledger

import (
	"context"
	"strings"
	"time"

	"edgelens"
)

// pointSums are the sums of new points by minute, and the newest point of each series.
type pointSums struct {
	minutes map[minuteKey]*minuteSum
	newest  map[int64]newestPoint
	points  int64
}

type minuteKey struct{ series, minute int64 }

type minuteSum struct {
	count, anomalies int64
	min, max, sum    float64
}

type newestPoint struct {
	at    int64
	value float64
}

func newPointSums() *pointSums {
	return &pointSums{minutes: map[minuteKey]*minuteSum{}, newest: map[int64]newestPoint{}}
}

// minuteOf returns the minute of a time in microseconds since 1970, rounded down.
func minuteOf(at int64) int64 {
	const minute = int64(time.Minute / time.Microsecond)
	n := at / minute
	if at%minute < 0 {
		n--
	}
	return n
}

func (s *pointSums) add(series, at int64, value float64, flags int64) {
	s.points++
	key := minuteKey{series, minuteOf(at)}
	sum := s.minutes[key]
	if sum == nil {
		sum = &minuteSum{min: value, max: value}
		s.minutes[key] = sum
	}
	sum.count++
	sum.anomalies += flags & flagAnomaly
	sum.min, sum.max, sum.sum = min(sum.min, value), max(sum.max, value), sum.sum+value
	if newest, known := s.newest[series]; !known || at >= newest.at {
		s.newest[series] = newestPoint{at, value}
	}
}

// save adds the sums to the rows of the minutes.
func (s *pointSums) save(c *change) error {
	for key, sum := range s.minutes {
		_, err := c.exec(`INSERT INTO sensor_minutes (series, minute, count, min, max, sum, anomalies) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET count = count + excluded.count, min = min(min, excluded.min), max = max(max, excluded.max),
				sum = sum + excluded.sum, anomalies = anomalies + excluded.anomalies`,
			key.series, key.minute, sum.count, sum.min, sum.max, sum.sum, sum.anomalies)
		if err != nil {
			return err
		}
	}
	for series, newest := range s.newest {
		_, err := c.exec(`UPDATE sensor_series SET last_at = ?1, last_value = ?2 WHERE id = ?3 AND (last_at IS NULL OR last_at <= ?1)`, newest.at, newest.value, series)
		if err != nil {
			return err
		}
	}
	if s.points == 0 {
		return nil
	}
	_, err := c.exec(`UPDATE sensor_totals SET points = points + ?`, s.points)
	return err
}

// insertPoints inserts points that are not stored yet, and adds them to sums.
func insertPoints(c *change, points []edgelens.Point, ids map[string]int64, sums *pointSums) error {
	args := make([]any, 0, 5*len(points))
	for i := range points {
		p := &points[i]
		args = append(args, ids[p.Series], p.At.UnixMicro(), p.Seq, p.Value, flagsOf(p))
	}
	rows, err := c.QueryContext(context.Background(), `INSERT OR IGNORE INTO sensor_points (series, at, seq, value, flags) VALUES (?, ?, ?, ?, ?)`+
		strings.Repeat(`, (?, ?, ?, ?, ?)`, len(points)-1)+` RETURNING series, at, value, flags`, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var series, at, flags int64
		var value float64
		if err := rows.Scan(&series, &at, &value, &flags); err != nil {
			return err
		}
		sums.add(series, at, value, flags)
	}
	return rows.Err()
}
