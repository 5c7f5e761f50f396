package ledger

import (
	"context"
	"slices"
	"time"

	"edgelens"
)

// Past returns the stored series that had points since the given moment, at most so many, each with its newest points since
// then, at most so many of each.
func (s *Sensors) Past(ctx context.Context, since time.Time, series, points int) ([]edgelens.SeriesPast, error) {
	past, err := s.past(ctx, since, series, points)
	return past, s.db.explain("read the newest points of sensors", err)
}

func (s *Sensors) past(ctx context.Context, since time.Time, series, points int) ([]edgelens.SeriesPast, error) {
	stored, err := s.list(ctx, `WHERE last_at >= ? ORDER BY last_at DESC LIMIT ?`, since.UnixMicro(), series)
	if err != nil {
		return nil, err
	}
	past := make([]edgelens.SeriesPast, 0, len(stored))
	for _, one := range stored {
		newest, err := s.newest(ctx, one.ID, since, points)
		if err != nil {
			return nil, err
		}
		past = append(past, edgelens.SeriesPast{StoredSeries: one, Points: newest})
	}
	return past, nil
}

// newest returns the newest points of a series that were not replayed, the oldest first.
func (s *Sensors) newest(ctx context.Context, series string, since time.Time, limit int) (all []edgelens.Point, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT at, value, flags FROM sensor_points
		WHERE series = (SELECT id FROM sensor_series WHERE series = ?) AND at >= ? AND flags & ? = 0 ORDER BY at DESC, seq DESC LIMIT ?`,
		series, since.UnixMicro(), flagReplayed, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		p := edgelens.Point{Series: series, Freshness: edgelens.FreshnessFresh}
		var at, flags int64
		if err := rows.Scan(&at, &p.Value, &flags); err != nil {
			return nil, err
		}
		p.At = time.UnixMicro(at).UTC()
		if flags&flagUnknown != 0 {
			p.Freshness = edgelens.FreshnessUnknown
		}
		all = append(all, p)
	}
	slices.Reverse(all)
	return all, rows.Err()
}

// Raised returns the insights that were raised and not cleared, of each rule and series the newest. Anomalies are moments,
// which nothing clears.
func (s *Insights) Raised(ctx context.Context) ([]edgelens.Insight, error) {
	raised, err := s.raised(ctx)
	return raised, s.db.explain("list the insights that hold", err)
}

func (s *Insights) raised(ctx context.Context) (all []edgelens.Insight, err error) {
	rows, err := s.db.readers.QueryContext(ctx, selectInsight+` FROM insights i
		WHERE i.seq IN (SELECT max(seq) FROM insights GROUP BY series, rule) AND i.state = ? AND i.kind <> ? ORDER BY i.seq`,
		edgelens.InsightRaised, edgelens.InsightAnomaly)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		insight, _, err := readInsight(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, insight)
	}
	return all, rows.Err()
}
