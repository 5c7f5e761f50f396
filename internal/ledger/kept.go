package ledger

import (
	"context"
	"database/sql"
	"time"

	"edgelens"
)

const (
	// nearBound is the part of a bound from which on it counts as the one that removes.
	nearBound = 0.99
	// sampledImages is how many of the newest images the number of all is estimated by.
	sampledImages = 50
)

// Kept returns what the ledger keeps of each kind, and since when. It counts no rows and is cheap.
func (l *Ledger) Kept(ctx context.Context) (edgelens.Kept, error) {
	kept, err := l.kept(ctx)
	return kept, l.db.explain("measure what is kept", err)
}

func (l *Ledger) kept(ctx context.Context) (edgelens.Kept, error) {
	kept := edgelens.Kept{At: l.db.now(), MaxBytes: l.config.MaxBytes}
	over, err := l.sweeper.bytesOver(ctx)
	if err != nil {
		return kept, err
	}
	kept.Bytes = over + l.config.MaxBytes
	sizes, err := l.db.keptSizes(ctx)
	if err != nil {
		return kept, err
	}
	for _, of := range keptKinds(l.config) {
		kind, err := l.keptKind(ctx, of, sizes)
		if err != nil {
			return kept, err
		}
		kept.Kinds = append(kept.Kinds, kind)
	}
	return kept, nil
}

// keptQueries are the bounds of a kind, and how its rows are measured.
type keptQueries struct {
	edgelens.KeptKind
	// size selects rows and bytes; empty where keptSizes has them.
	size string
	// oldest selects the oldest time in microseconds, or none; steps is true where the steps of the clock count for it.
	oldest string
	steps  bool
}

// estimatedBy returns a query for the size of a table whose oldest rows are removed first, by its first and last row, and the
// approximate size of a row with its indexes.
func estimatedBy(table, rowBytes string) string {
	return `SELECT n, n * ` + rowBytes + ` FROM (SELECT ifnull((SELECT max(seq) FROM ` + table + `) - (SELECT min(seq) FROM ` + table + `) + 1, 0) AS n)`
}

// keptKinds returns the kinds with their bounds.
func keptKinds(c Config) []keptQueries {
	type kind = edgelens.KeptKind
	shared := func(name string, age time.Duration, rows int) kind {
		return kind{Kind: name, MaxAge: c.ageOf(age), MaxRows: int64(rows), Share: c.shareOf(name)}
	}
	return []keptQueries{
		{shared(edgelens.KeptJobs, 0, 0), ``, `SELECT min(kept_since) FROM jobs WHERE kept_since IS NOT NULL`, true},
		{shared(edgelens.KeptResults, c.Ages.Results, 0), ``, `SELECT min(created_at) FROM results INDEXED BY results_without_job WHERE job_id IS NULL`, false},
		{shared(edgelens.KeptRecords, c.Ages.Records, 0), ``, `SELECT min(received_at) FROM records`, false},
		{shared(edgelens.KeptEvents, c.Ages.Events, c.MaxEvents), ``, `SELECT min(at) FROM events`, false},
		{shared(edgelens.KeptImages, c.Ages.Images, 0), ``, `SELECT coalesce(kept_since, created_at) FROM jobs INDEXED BY jobs_with_old_image WHERE finished_at IS NOT NULL AND image = 1 ORDER BY seq LIMIT 1`, true},
		{
			kind{Kind: edgelens.KeptUndelivered, MaxAge: c.OutboxMaxAge, MaxBytes: c.OutboxMaxBytes}, `SELECT ifnull(sum(rows), 0), ifnull(sum(bytes), 0) FROM outbox_totals`,
			`SELECT created_at FROM outbox WHERE seq = (SELECT min(seq) FROM outbox)`, true,
		},
		{kind{Kind: edgelens.KeptIDs, MaxAge: c.Remember, MaxRows: int64(c.RememberMax)}, ``, `SELECT min(at) FROM record_ids`, true},
		{
			kind{Kind: edgelens.KeptCommands, MaxAge: c.ageOf(c.Ages.Commands), MaxRows: int64(c.MaxCommands), Estimated: true}, estimatedBy(`commands`, `500`),
			`SELECT min(created_at) FROM commands`, false,
		},
		{
			kind{Kind: edgelens.KeptSensorPoints, MaxAge: c.SensorKeepPoints, MaxBytes: c.SensorMaxBytes}, `SELECT points, points * 40 FROM sensor_totals`,
			`SELECT min((SELECT min(at) FROM sensor_points p WHERE p.series = s.id)) FROM sensor_series s`, false,
		},
		{
			kind{Kind: edgelens.KeptSensorMinutes, MaxAge: c.SensorKeepMinutes, MaxBytes: c.SensorMaxBytes}, `SELECT minutes, minutes * 60 FROM sensor_totals`,
			`SELECT min((SELECT min(minute) FROM sensor_minutes m WHERE m.series = s.id)) * 60000000 FROM sensor_series s`, false,
		},
		{
			kind{Kind: edgelens.KeptInsights, MaxAge: c.SensorKeepMinutes, MaxRows: maxInsights, Estimated: true}, estimatedBy(`insights`, `700`),
			`SELECT min(at) FROM insights`, false,
		},
		{
			kind{Kind: edgelens.KeptStateChanges, MaxAge: c.StatesKeep, MaxRows: maxStateChanges, Estimated: true}, estimatedBy(`state_changes`, `450`),
			`SELECT min(at) FROM state_changes`, false,
		},
		{
			kind{Kind: edgelens.KeptExamples, MaxRows: c.LearnMaxExamples, MaxBytes: c.LearnMaxBytes}, `SELECT examples, bytes + embeddings + examples * 500 FROM example_totals`,
			`SELECT created_at FROM examples WHERE seq = (SELECT min(seq) FROM examples)`, false,
		},
		{
			kind{Kind: edgelens.KeptVectors, MaxAge: c.MaxAge}, `SELECT vectors, vectors * 1400 FROM embeddings_state`,
			`SELECT created_at FROM results WHERE seq = (SELECT min(result) FROM embeddings)`, false,
		},
	}
}

// keptKind measures a kind.
func (l *Ledger) keptKind(ctx context.Context, of keptQueries, sizes map[string]keptSize) (kind edgelens.KeptKind, err error) {
	kind = of.KeptKind
	switch size, known := sizes[kind.Kind]; {
	case known:
		kind.Rows, kind.Bytes, kind.Estimated = size.rows, size.bytes, size.estimated
	case kind.Kind == edgelens.KeptIDs:
		err = l.measureIDs(ctx, &kind)
	default:
		err = l.db.readers.QueryRowContext(ctx, of.size).Scan(&kind.Rows, &kind.Bytes)
	}
	if err == nil && kind.Kind == edgelens.KeptImages {
		kind.Rows, err = l.countImages(ctx, kind.Bytes)
	}
	if err != nil {
		return kind, err
	}
	var steps clockSteps
	if of.steps {
		steps = l.db.clockSteps()
	}
	age, found, err := l.db.ageOf(ctx, steps, of.oldest)
	if err != nil {
		return kind, err
	}
	if found {
		kind.Oldest = micros(l.db.now().Add(-age))
	}
	kind.Bound = l.boundOf(kind, age)
	return kind, nil
}

// measureIDs measures the ids of records, with those that have not moved from the table of an earlier version.
func (l *Ledger) measureIDs(ctx context.Context, kind *edgelens.KeptKind) error {
	former := l.db.formerIDs.Load()
	if err := l.db.readers.QueryRowContext(ctx, `SELECT `+idCount).Scan(&kind.Rows); err != nil {
		return err
	}
	kind.Bytes = kind.Rows*idBytes + former*formerIDBytes
	kind.Rows, kind.Estimated = kind.Rows+former, former > 0
	return nil
}

// countImages estimates how many images there are, by the sizes of the newest ones.
func (l *Ledger) countImages(ctx context.Context, bytes int64) (int64, error) {
	var average sql.NullFloat64
	err := l.db.readers.QueryRowContext(ctx, `SELECT avg(bytes) FROM jobs WHERE seq > (SELECT max(seq) FROM jobs) - ?`, sampledImages).Scan(&average)
	if err != nil || bytes == 0 || average.Float64 < 1 {
		return 0, err
	}
	return max(1, int64(float64(bytes)/average.Float64+0.5)), nil
}

// boundOf returns the bound that removes the oldest of a kind now.
func (l *Ledger) boundOf(kind edgelens.KeptKind, age time.Duration) edgelens.KeptBound {
	reached := func(value, bound int64) bool { return bound > 0 && float64(value) >= nearBound*float64(bound) }
	switch {
	case l.space.shortFor(kind.Kind, l.db.clock().Monotonic):
		return edgelens.BoundSpace
	case reached(kind.Rows, kind.MaxRows):
		return edgelens.BoundRows
	case reached(kind.Bytes, kind.MaxBytes):
		return edgelens.BoundBytes
	case reached(int64(age), int64(kind.MaxAge)):
		return edgelens.BoundAge
	}
	return edgelens.BoundNone
}
