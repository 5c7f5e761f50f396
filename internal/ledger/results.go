package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"edgelens"
	"edgelens/internal/stored"
	"edgelens/internal/uuid7"
)

// itemOf returns the item of the history of a finished job.
func itemOf(job *edgelens.Job) edgelens.StoredResult {
	item := edgelens.StoredResult{
		ID: orElse(job.Record, uuid7.New(job.FinishedAt)), JobID: job.ID, Source: job.Source, Device: job.Device,
		CreatedAt: job.FinishedAt, Result: job.Result, Error: job.Error,
	}
	if job.Status == edgelens.JobCanceled { // a terminal's record needs a result for its sinks
		item.Error = &edgelens.JobError{Code: edgelens.Code(edgelens.ErrCanceled), Detail: "The job was canceled before the image was recognized."}
	}
	complete(&item)
	return item
}

// complete fills in the fields that depend on the result or error.
func complete(r *edgelens.StoredResult) {
	if r.Result != nil && len(r.Result.Predictions) > 0 {
		r.Label, r.Probability = r.Result.Predictions[0].Label, r.Result.Predictions[0].Probability
	}
	switch {
	case r.Result == nil:
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeError)
	case r.Result.StandIn: // no classifier
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeUncertain)
		r.Reason = orElse(r.Reason, strings.Join(r.Result.Warnings, " "))
	case r.Result.Image.Problem() != "":
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeUncertain)
		r.Reason = orElse(r.Reason, r.Result.Image.Problem())
	case r.Result.Quality.Problem() != "":
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeUncertain)
		r.Reason = orElse(r.Reason, r.Result.Quality.Problem())
	case len(r.Result.Predictions) == 0:
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeUncertain)
	default:
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeRecognized)
	}
	switch {
	case r.Reason != "":
	case r.Error != nil:
		r.Reason = r.Error.Detail
	case r.Outcome == edgelens.OutcomeUncertain:
		r.Reason = "No prediction was probable enough."
	}
}

func orElse(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}

// Record makes a result without a job durable, with its event, and returns it with empty fields filled in: ID, Outcome,
// CreatedAt, and always Label and Probability. A result with the ID of an earlier one returns the earlier, and writes
// nothing: an ID derived from the content records it once, however often it arrives. Its error is an
// edgelens.ErrInvalid for one with a JobID, which only Finish and its like may write, or one whose Result cannot be
// JSON.
func (l *Ledger) Record(ctx context.Context, record edgelens.StoredResult) (edgelens.StoredResult, error) {
	record, err := l.record(ctx, record)
	return record, l.explain("record a result", err)
}

func (l *Ledger) record(ctx context.Context, record edgelens.StoredResult) (edgelens.StoredResult, error) {
	if record.JobID != "" {
		return edgelens.StoredResult{}, fmt.Errorf("%w: the result of a job is recorded by finishing the job", edgelens.ErrInvalid)
	}
	if record.CreatedAt.IsZero() {
		record.CreatedAt = l.now()
	}
	record.CreatedAt = micros(record.CreatedAt)
	if record.ID == "" {
		record.ID = uuid7.New(record.CreatedAt)
	}
	complete(&record)
	err := l.writer.write(ctx, func(c *change) error {
		earlier, _, err := readResult(c.QueryRowContext(ctx, selectResult+` WHERE id = ?`, record.ID))
		if err == nil {
			record = earlier
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return c.insertResult(&record)
	})
	if err != nil {
		return edgelens.StoredResult{}, err
	}
	return record, nil
}

func (c *change) insertResult(r *edgelens.StoredResult) error {
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
	if err := c.addRecord(r); err != nil {
		return err
	}
	_, err := c.exec(`INSERT INTO results (id, job_id, source, device, outcome, reason, freshness, freshness_reason, label, probability, created_at, result, error_code, error_detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, textOrNull(r.JobID), r.Source, r.Device, r.Outcome, r.Reason, string(r.Freshness), r.FreshnessReason, r.Label, r.Probability, r.CreatedAt.UnixMicro(), result, code, detail)
	if err != nil {
		return err
	}
	return c.recognitionEvent(r)
}

// addRecord adds to a result the fields of its terminal's record, if there is one.
func (c *change) addRecord(r *edgelens.StoredResult) error {
	if r.Device == "" {
		return nil
	}
	var doubt string
	err := c.QueryRowContext(context.Background(), `SELECT freshness, freshness_reason, doubt FROM records WHERE id = ?`, r.ID).Scan(&r.Freshness, &r.FreshnessReason, &doubt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil || doubt == "" {
		return err
	}
	// Regardless of the image, the terminal's own verdict on the person is uncertain.
	if r.Outcome != edgelens.OutcomeError {
		r.Outcome = edgelens.OutcomeUncertain
	}
	r.Reason = strings.TrimSpace("The terminal's verdict is not understood: " + doubt + " " + r.Reason)
	return nil
}

// resultColumns are what resultScan reads.
const resultColumns = `s.seq, s.id, s.job_id, s.source, s.device, s.outcome, s.reason, s.freshness, s.freshness_reason, s.label, s.probability, s.created_at, s.result, s.error_code, s.error_detail`

const selectResult = `SELECT ` + resultColumns + ` FROM results s`

// resultScan is an item of the history being read.
type resultScan struct {
	item                      edgelens.StoredResult
	seq                       int64
	created                   sql.NullInt64
	job, result, code, detail sql.NullString
}

// into returns where the columns go.
func (r *resultScan) into() []any {
	return []any{&r.seq, &r.item.ID, &r.job, &r.item.Source, &r.item.Device, &r.item.Outcome, &r.item.Reason, &r.item.Freshness, &r.item.FreshnessReason,
		&r.item.Label, &r.item.Probability, &r.created, &r.result, &r.code, &r.detail}
}

// read returns the item after Scan.
func (r *resultScan) read() (edgelens.StoredResult, error) {
	var err error
	r.item.JobID, r.item.CreatedAt, r.item.Error = r.job.String, timeOf(r.created), errorOf(r.code, r.detail)
	if r.item.Result, err = resultOf(r.result); err != nil {
		return edgelens.StoredResult{}, fmt.Errorf("read result %s: %w", r.item.ID, err)
	}
	return r.item, nil
}

func readResult(row interface{ Scan(...any) error }) (edgelens.StoredResult, int64, error) {
	var scan resultScan
	if err := row.Scan(scan.into()...); err != nil {
		return edgelens.StoredResult{}, 0, err
	}
	item, err := scan.read()
	return item, scan.seq, err
}

// Result returns an item of the history by its id. Its error is an edgelens.ErrNotFound where there is none.
func (l *Ledger) Result(ctx context.Context, id string) (edgelens.StoredResult, error) {
	r, _, err := readResult(l.readers.QueryRowContext(ctx, selectResult+` WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: no result has this id; it may have been removed for its age", edgelens.ErrNotFound)
	}
	return r, l.explain("look up result "+id, err)
}

// Results lists the history, the newest first, and returns the cursor of the next page; empty where there is none.
// Results that arrive meanwhile do not move the pages. Its error is an edgelens.ErrInvalid for a bad filter.
func (l *Ledger) Results(ctx context.Context, filter edgelens.ResultFilter) (page []edgelens.StoredResult, next string, err error) {
	page, next, err = l.results(ctx, filter)
	return page, next, l.explain("list results", err)
}

func (l *Ledger) results(ctx context.Context, filter edgelens.ResultFilter) (page []edgelens.StoredResult, next string, err error) {
	before, err := parseCursor(resultList, filter.Cursor)
	if err != nil {
		return nil, "", err
	}
	limit, err := pageLimit(filter.Limit)
	if err != nil {
		return nil, "", err
	}
	query, args := where(filter, before)
	rows, err := l.readers.QueryContext(ctx, selectResult+query+` ORDER BY seq DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	var last int64
	for rows.Next() {
		result, seq, err := readResult(rows)
		if err != nil {
			return nil, "", err
		}
		if len(page) == limit { // one more than requested: there is a next page
			next = newCursor(resultList, last)
			break
		}
		page, last = append(page, result), seq
	}
	return page, next, rows.Err()
}

// where returns the condition of the filter and its arguments.
func where(f edgelens.ResultFilter, before int64) (condition string, args []any) {
	condition, args = ` WHERE seq < ?`, []any{before}
	and := func(test string, arg any) { condition, args = condition+` AND `+test, append(args, arg) }
	if f.Device != "" {
		and(`device = ?`, f.Device)
	}
	if f.Label != "" {
		and(`label = ?`, f.Label)
	}
	if f.Outcome != "" {
		and(`outcome = ?`, f.Outcome)
	}
	if !f.Since.IsZero() {
		and(`created_at >= ?`, f.Since.UnixMicro())
	}
	if !f.Until.IsZero() {
		and(`created_at < ?`, f.Until.UnixMicro())
	}
	return condition, args
}
