package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"edgelens"
	"edgelens/internal/stored"
)

// selectResult selects what readResult reads.
const selectResult = `SELECT s.seq, s.id, s.job_id, s.source, s.device, s.outcome, s.reason, s.freshness, s.freshness_reason, s.label, s.probability, s.created_at, s.result, s.error_code, s.error_detail, s.owner,
		EXISTS (SELECT 1 FROM jobs j WHERE j.id = s.job_id AND j.image = 1)
	FROM results s`

func readResult(row interface{ Scan(...any) error }) (item edgelens.StoredResult, seq int64, err error) {
	var (
		created                   sql.NullInt64
		job, result, code, detail sql.NullString
	)
	err = row.Scan(&seq, &item.ID, &job, &item.Source, &item.Device, &item.Outcome, &item.Reason, &item.Freshness, &item.FreshnessReason,
		&item.Label, &item.Probability, &created, &result, &code, &detail, &item.Owner, &item.HasImage)
	if err != nil {
		return edgelens.StoredResult{}, 0, err
	}
	item.JobID, item.CreatedAt, item.Error = job.String, timeOf(created), errorOf(code, detail)
	if item.Result, err = resultOf(result); err != nil {
		return edgelens.StoredResult{}, 0, fmt.Errorf("read result %s: %w", item.ID, err)
	}
	return item, seq, nil
}

// resultsAt returns the results with those seqs that are there, by seq. With a statement for each row, a page takes a quarter
// longer.
func resultsAt(ctx context.Context, q querier, seqs []int64) (map[int64]edgelens.StoredResult, error) {
	found := make(map[int64]edgelens.StoredResult, len(seqs))
	for batch := range slices.Chunk(seqs, 100) {
		args := make([]any, len(batch))
		for i, seq := range batch {
			args[i] = seq
		}
		rows, err := q.QueryContext(ctx, selectResult+` WHERE seq IN (?`+strings.Repeat(`, ?`, len(batch)-1)+`)`, args...)
		if err != nil {
			return nil, err
		}
		if err := readAll(rows, func() error {
			result, seq, err := readResult(rows)
			found[seq] = result
			return err
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// resultByID returns a result, or sql.ErrNoRows.
func resultByID(ctx context.Context, q querier, id string) (edgelens.StoredResult, error) {
	r, _, err := readResult(q.QueryRowContext(ctx, selectResult+` WHERE id = ?`, id))
	return r, err
}

// insert adds a result with its event, and the fields of its record, if it has one.
func (s *Results) insert(c *change, r *edgelens.StoredResult) error {
	var result, code, detail any
	if r.Result != nil {
		text, err := stored.MarshalResult(r.Result)
		if err != nil {
			return fmt.Errorf("%w: write the result as JSON: %w", edgelens.ErrInvalid, err)
		}
		result = string(text)
	}
	if r.Error != nil {
		code, detail = r.Error.Code, r.Error.Detail
	}
	if err := addRecord(c, r); err != nil {
		return err
	}
	_, err := c.exec(`INSERT INTO results (id, job_id, source, device, outcome, reason, freshness, freshness_reason, label, probability, created_at, result, error_code, error_detail, owner)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, textOrNull(r.JobID), r.Source, r.Device, r.Outcome, r.Reason, string(r.Freshness), r.FreshnessReason, r.Label, r.Probability, r.CreatedAt.UnixMicro(), result, code, detail, r.Owner)
	if err != nil {
		return err
	}
	return s.events.insert(c, recognitionEvent(r))
}
