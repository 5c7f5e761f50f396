package ledger

import (
	"context"
	"time"

	"edgelens"
)

// countedResults bounds the work of ByDevice: in busy hours, it is of the latest.
const countedResults = 20_000

// ByDevice counts the results since a time, by device; of the latest 20,000 in busy times.
func (s *Results) ByDevice(ctx context.Context, since time.Time) (map[string]edgelens.DeviceResults, error) {
	all, err := s.byDevice(ctx, since)
	return all, s.db.explain("count the results of devices", err)
}

func (s *Results) byDevice(ctx context.Context, since time.Time) (map[string]edgelens.DeviceResults, error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT device, count(*), sum(outcome = ?), sum(outcome = ?),
			sum(label <> ''), coalesce(avg(CASE WHEN label <> '' THEN probability END), 0),
			sum(usable IS NOT NULL), coalesce(sum(usable = 0), 0)
		FROM (SELECT device, outcome, label, probability, json_extract(result, '$.Quality.Usable') AS usable
			FROM results WHERE created_at >= ? AND device <> '' ORDER BY created_at DESC LIMIT ?)
		GROUP BY device`, edgelens.OutcomeRecognized, edgelens.OutcomeUncertain, since.UnixMicro(), countedResults)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]edgelens.DeviceResults{}
	for rows.Next() {
		var device string
		var r edgelens.DeviceResults
		if err := rows.Scan(&device, &r.Count, &r.Recognized, &r.Uncertain, &r.Scored, &r.MeanProbability, &r.Rated, &r.Unusable); err != nil {
			return nil, err
		}
		all[device] = r
	}
	return all, rows.Err()
}
