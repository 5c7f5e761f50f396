package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/internal/uuid7"
)

// Results is the history: the results of jobs, of records and of other images. It is safe for use by many goroutines.
type Results struct {
	db     *database
	events *Events
	due    *dueScan
}

// Record makes a result without a job durable, with its event, and returns it with empty fields filled in: ID, Outcome,
// CreatedAt, and always Label and Probability. A result with the ID of an earlier one returns the earlier, and writes
// nothing: an ID derived from the content records it once, however often it arrives. Its error is an
// edgelens.ErrInvalid for one with a JobID, which only Finish and its like may write, or one whose Result cannot be
// JSON.
func (s *Results) Record(ctx context.Context, record edgelens.StoredResult) (edgelens.StoredResult, error) {
	record, err := s.record(ctx, record)
	return record, s.db.explain("record a result", err)
}

func (s *Results) record(ctx context.Context, record edgelens.StoredResult) (edgelens.StoredResult, error) {
	if record.JobID != "" {
		return edgelens.StoredResult{}, fmt.Errorf("%w: the result of a job is recorded by finishing the job", edgelens.ErrInvalid)
	}
	s.identify(&record)
	err := s.db.write(ctx, func(c *change) (err error) {
		record, err = s.insertOnce(ctx, c, record)
		return err
	})
	if err != nil {
		return edgelens.StoredResult{}, err
	}
	return record, nil
}

// RecordAll is Record for several results without a job, in one transaction.
func (s *Results) RecordAll(ctx context.Context, records []edgelens.StoredResult) error {
	return s.db.explain("record results", s.db.writeWithOthers(ctx, func(c *change) error {
		for _, record := range records {
			s.identify(&record)
			if _, err := s.insertOnce(ctx, c, record); err != nil {
				return err
			}
		}
		return nil
	}))
}

// identify fills in the fields of a new result that are empty.
func (s *Results) identify(record *edgelens.StoredResult) {
	if record.CreatedAt.IsZero() {
		record.CreatedAt = s.db.now()
	}
	record.CreatedAt = micros(record.CreatedAt)
	if record.ID == "" {
		record.ID = uuid7.New(record.CreatedAt)
	}
	complete(record)
}

// insertOnce inserts a result, or returns the earlier one with its ID.
func (s *Results) insertOnce(ctx context.Context, c *change, record edgelens.StoredResult) (edgelens.StoredResult, error) {
	earlier, err := resultByID(ctx, c, record.ID)
	if err == nil {
		return earlier, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return record, err
	}
	return record, s.insert(c, &record)
}

// Result returns an item of the history by its id. Its error is an edgelens.ErrNotFound where there is none.
func (s *Results) Result(ctx context.Context, id string) (edgelens.StoredResult, error) {
	r, err := resultByID(ctx, s.db.readers, id)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: no result has this id; it may have been removed for its age", edgelens.ErrNotFound)
	}
	return r, s.db.explain("look up result "+id, err)
}

// resultList is the name of the history, and resultTimeList that of the history by time, in their cursors.
const resultList, resultTimeList = "results", "results-by-time"

// Results lists the history, the newest first, and returns the cursor of the next page; empty where there is none. A page may
// have less than the limit, even nothing, and still a next one: each looks at a bounded number of rows. Results that arrive
// meanwhile do not move the pages. With Since or Until, the newest by their time come first. Its error is an
// edgelens.ErrInvalid for a bad filter.
func (s *Results) Results(ctx context.Context, filter edgelens.ResultFilter) (page []edgelens.StoredResult, next string, err error) {
	page, next, err = s.list(ctx, filter)
	return page, next, s.db.explain("list results", err)
}

func (s *Results) list(ctx context.Context, filter edgelens.ResultFilter) (page []edgelens.StoredResult, next string, err error) {
	limit, err := pageLimit(filter.Limit)
	if err != nil {
		return nil, "", err
	}
	l, err := s.listing(filter)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	places, end, more, err := l.some(ctx, limit)
	if err != nil {
		return nil, "", err
	}
	seqs := make([]int64, len(places))
	for i, p := range places {
		seqs[i] = p.seq
	}
	found, err := resultsAt(ctx, s.db.lists, seqs)
	if err != nil {
		return nil, "", err
	}
	page = make([]edgelens.StoredResult, 0, len(places))
	for _, seq := range seqs {
		if result, ok := found[seq]; ok { // else removed meanwhile
			page = append(page, result)
		}
	}
	if more {
		next = newPlaceCursor(l, end)
	}
	return page, next, nil
}

// resultIsDelivered: no event about the result's record is undelivered.
var resultIsDelivered = noDelivery("results.id")

// dueResults finds the results without a job that are due.
func dueResults(db *database) *dueScan {
	return &dueScan{db: db, table: "results INDEXED BY results_without_job", at: "created_at", which: "job_id IS NULL AND ", free: resultIsDelivered, id: "''", imageBytes: "0"}
}

// removeOld removes up to n of the oldest results without a job from before the given moment, and returns how many.
func (s *Results) removeOld(ctx context.Context, before int64, n int) (int, error) {
	return s.due.remove(ctx, `DELETE FROM results WHERE seq = ?`, before, n)
}
