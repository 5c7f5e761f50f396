package ledger

import (
	"context"
	"strings"
	"time"

	"edgelens"
)

// ofExamples returns the condition of the examples that were made of what a filter selects: also of results that were removed
// for their age since. Those of a person's records are known only while the records are; record is the condition of these (r).
func (s *Erasure) ofExamples(filter edgelens.ErasureFilter, record string, recordArgs []any) (condition string, args []any) {
	if filter.Person != "" {
		return `result_id IN (SELECT r.id FROM records r WHERE ` + record + `)`, recordArgs
	}
	tests := []string{`result_id <> ''`}
	and := func(test string, arg any) { tests, args = append(tests, test), append(args, arg) }
	if filter.ID != "" {
		and(`result_id = ?`, filter.ID)
	}
	if filter.Device != "" {
		and(`device = ?`, filter.Device)
	}
	if !filter.Since.IsZero() {
		and(`result_at >= ?`, filter.Since.UnixMicro())
	}
	if !filter.Until.IsZero() {
		and(`result_at < ?`, filter.Until.UnixMicro())
	}
	return strings.Join(tests, ` AND `), args
}

func (s *Erasure) countExamples(ctx context.Context, filter edgelens.ErasureFilter, record string, recordArgs []any, all *edgelens.Erased) error {
	condition, args := s.ofExamples(filter, record, recordArgs)
	var examples, bytes int64
	err := s.db.readers.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(bytes), 0) FROM examples WHERE `+condition, args...).Scan(&examples, &bytes)
	noteExamples(all, examples, bytes)
	return err
}

// eraseExamples erases the examples that were made of what a filter selects, some in each transaction, before the results are
// erased by which they are found; done is false where the time was over before.
func (s *Erasure) eraseExamples(ctx context.Context, filter edgelens.ErasureFilter, record string, recordArgs []any, end time.Time, all *edgelens.Erased) (done bool, err error) {
	condition, args := s.ofExamples(filter, record, recordArgs)
	args = append(args[:len(args):len(args)], eraseBatch)
	for time.Now().Before(end) {
		var removed []edgelens.Example
		err := overwrite(ctx, s.db, func(c *change) (err error) {
			removed, err = removeExamples(c, `seq IN (SELECT seq FROM examples WHERE `+condition+` LIMIT ?)`, args...)
			return err
		})
		if err != nil {
			return false, err
		}
		if len(removed) == 0 {
			return true, nil
		}
		noteRemoved(all, removed)
	}
	return false, nil
}

// eraseExamplesOf erases the examples of one result.
func eraseExamplesOf(c *change, result string, erased *edgelens.Erased) error {
	removed, err := removeExamples(c, `result_id = ? AND result_id <> ''`, result)
	noteRemoved(erased, removed)
	return err
}

func noteRemoved(erased *edgelens.Erased, removed []edgelens.Example) {
	for _, e := range removed {
		noteExamples(erased, 1, e.Bytes)
	}
}

// noteExamples counts examples, each with an image.
func noteExamples(erased *edgelens.Erased, n, bytes int64) {
	erased.Examples += n
	erased.Images += n
	erased.ImageBytes += bytes
}
