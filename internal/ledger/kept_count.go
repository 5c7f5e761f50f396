package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"edgelens"
)

const (
	// countBatch is how many rows are counted in one transaction, and countPause for how many times as long as that took others have
	// the database to themselves.
	countBatch, countPause = 200, 9
	// countRetry is when a count that failed is tried again.
	countRetry = time.Minute
)

// keptTables are the tables whose rows of an earlier version are counted, with their largest texts.
var keptTables = []struct{ kind, table, text, which string }{
	{jobResults, "results", "result", " AND +job_id IS NOT NULL"},
	{edgelens.KeptResults, "results", "result", " AND +job_id IS NULL"},
	{edgelens.KeptRecords, "records", "verdict", ""},
	{edgelens.KeptEvents, "events", "data", ""},
}

// countKept adds the rows of an earlier version to the totals that triggers maintain, in small transactions with pauses; an
// interrupted count goes on at the next start.
func (d *database) countKept(ctx context.Context) {
	for i := 0; i < len(keptTables) && ctx.Err() == nil; {
		begun := time.Now()
		done, err := d.countBatch(ctx, i)
		wait := countPause * time.Since(begun)
		switch {
		case err != nil && ctx.Err() == nil:
			d.log.Warn("counting the rows of an earlier version failed, retried later", "error", err)
			wait = countRetry
		case err == nil && done:
			i++
			continue
		}
		if err := pause(ctx, wait); err != nil {
			return
		}
	}
}

// countBatch counts the next rows of a table, and reports whether all are counted.
func (d *database) countBatch(ctx context.Context, i int) (done bool, err error) {
	of := keptTables[i]
	const selectRange = `SELECT counted, until FROM kept_totals WHERE kind = ?`
	var counted, until int64
	if err := d.readers.QueryRowContext(ctx, selectRange, of.kind).Scan(&counted, &until); err != nil || counted >= until {
		return true, err
	}
	err = d.write(ctx, func(c *change) error {
		end, err := countedUntil(c, of.table, counted, until)
		if err != nil {
			return err
		}
		var rows, bytes int64
		err = c.QueryRowContext(c.ctx, `SELECT count(*), ifnull(sum(length(CAST(`+of.text+` AS BLOB))), 0) FROM `+of.table+` WHERE seq > ? AND seq <= ?`+of.which, counted, end).Scan(&rows, &bytes)
		if err != nil {
			return err
		}
		_, err = c.exec(`UPDATE kept_totals SET rows = rows + ?, bytes = bytes + ?, counted = ? WHERE kind = ?`, rows, bytes, end, of.kind)
		return err
	})
	return false, err
}

// countedUntil returns the last row of the next batch, or until where there are fewer.
func countedUntil(c *change, table string, counted, until int64) (end int64, err error) {
	err = c.QueryRowContext(c.ctx, `SELECT seq FROM `+table+` WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 1 OFFSET ?`, counted, until, countBatch-1).Scan(&end)
	if errors.Is(err, sql.ErrNoRows) {
		return until, nil
	}
	return end, err
}
