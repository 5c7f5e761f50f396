package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"edgelens"
)

const (
	// eraseBatch is how many results and records are erased in one transaction, so that other writers wait only briefly.
	eraseBatch = 100
	// eraseTime is for how long one call erases, but for its last transaction.
	eraseTime = 20 * time.Second
)

// Erasure erases results and records, and series of sensors, with everything that is about them: jobs, images, undelivered
// events, deliveries, insights and events, and the examples that were made of them. Of a record, the ledger keeps its id alone, a hash, by which a duplicate is recognized, and in the chain
// of its device the digest of its event, also a hash. SQLite overwrites what
// is erased with zeros. It is safe for use by many goroutines.
type Erasure struct {
	db     *database
	outbox *Outbox
	jobs   *Jobs
	chains *Chains
}

// erasable is a record or another result, with the job that belongs to it.
type erasable struct {
	id     string
	record bool
	job    string // "" for none
}

// Count returns what Erase would erase. Its error is an edgelens.ErrInvalid for an empty filter.
func (s *Erasure) Count(ctx context.Context, filter edgelens.ErasureFilter) (edgelens.Erased, error) {
	erased, err := s.count(ctx, filter)
	return erased, s.db.explain("count what is to be erased", err)
}

// Erase erases what the filter selects and is there at the time of the call, a batch at a time; where it takes long, it
// returns with Erased.Complete false, to be called again. What it has erased with an error is in Erased too. Errors:
// edgelens.ErrInvalid for an empty filter.
func (s *Erasure) Erase(ctx context.Context, filter edgelens.ErasureFilter) (edgelens.Erased, error) {
	erased, err := s.erase(ctx, filter)
	return erased, s.db.explain("erase results", err)
}

// conditions returns those of records (r) and of other results (s); that of the latter is "" for none. Nothing from now
// on is selected, so that an erasure ends.
func (s *Erasure) conditions(filter edgelens.ErasureFilter) (record, result string, recordArgs, resultArgs []any, err error) {
	if filter.IsEmpty() {
		return "", "", nil, nil, fmt.Errorf("%w: an erasure needs a device, a person, or a time", edgelens.ErrInvalid)
	}
	until := s.db.now()
	if !filter.Until.IsZero() && filter.Until.Before(until) {
		until = filter.Until
	}
	records, results := []string{`r.received_at < ?`}, []string{`s.created_at < ?`, `NOT EXISTS (SELECT 1 FROM records WHERE id = s.id)`}
	recordArgs, resultArgs = []any{until.UnixMicro()}, []any{until.UnixMicro()}
	both := func(test string, column [2]string, arg any) {
		records, recordArgs = append(records, column[0]+test), append(recordArgs, arg)
		results, resultArgs = append(results, column[1]+test), append(resultArgs, arg)
	}
	if filter.ID != "" {
		both(` = ?`, [2]string{`r.id`, `s.id`}, filter.ID)
	}
	if filter.Device != "" {
		both(` = ?`, [2]string{`r.device`, `s.device`}, filter.Device)
	}
	if !filter.Since.IsZero() {
		both(` >= ?`, [2]string{`r.received_at`, `s.created_at`}, filter.Since.UnixMicro())
	}
	if filter.Person != "" {
		records, recordArgs = append(records, `(r.person_id = ? OR r.person_name = ?)`), append(recordArgs, filter.Person, filter.Person)
		return strings.Join(records, ` AND `), "", recordArgs, nil, nil
	}
	return strings.Join(records, ` AND `), strings.Join(results, ` AND `), recordArgs, resultArgs, nil
}

func (s *Erasure) count(ctx context.Context, filter edgelens.ErasureFilter) (all edgelens.Erased, err error) {
	record, result, recordArgs, resultArgs, err := s.conditions(filter)
	if err != nil {
		return all, err
	}
	const counts = `coalesce(sum(EXISTS (SELECT 1 FROM results WHERE id = x.id)), 0), count(j.id), coalesce(sum(j.image), 0), coalesce(sum(j.image * j.bytes), 0)`
	err = s.db.readers.QueryRowContext(ctx, `SELECT count(*), `+counts+`, coalesce(sum((SELECT count(*) FROM outbox WHERE record_id = x.id)), 0)
		FROM (SELECT r.id FROM records r WHERE `+record+`) x LEFT JOIN jobs j ON j.record_id = x.id`, recordArgs...).
		Scan(&all.Records, &all.Results, &all.Jobs, &all.Images, &all.ImageBytes, &all.Undelivered)
	if err != nil {
		return all, err
	}
	if err := s.countExamples(ctx, filter, record, recordArgs, &all); err != nil {
		return all, err
	}
	all.Complete = true
	if result == "" {
		return all, nil
	}
	others := edgelens.Erased{Complete: true}
	err = s.db.readers.QueryRowContext(ctx, `SELECT `+counts+` FROM (SELECT s.id, s.job_id FROM results s WHERE `+result+`) x LEFT JOIN jobs j ON j.id = x.job_id`, resultArgs...).
		Scan(&others.Results, &others.Jobs, &others.Images, &others.ImageBytes)
	all.Add(others)
	return all, err
}

func (s *Erasure) erase(ctx context.Context, filter edgelens.ErasureFilter) (all edgelens.Erased, err error) {
	record, result, recordArgs, resultArgs, err := s.conditions(filter)
	if err != nil {
		return all, err
	}
	began := time.Now()
	done, err := s.eraseExamples(ctx, filter, record, recordArgs, began.Add(eraseTime), &all)
	if err != nil || !done {
		return all, err
	}
	lists := []func() ([]erasable, error){
		func() ([]erasable, error) {
			return s.list(ctx, `SELECT r.id, 1, coalesce(j.id, '') FROM records r LEFT JOIN jobs j ON j.record_id = r.id WHERE `+record+` ORDER BY r.seq LIMIT ?`, recordArgs)
		},
		func() ([]erasable, error) {
			if result == "" {
				return nil, nil
			}
			return s.list(ctx, `SELECT s.id, 0, coalesce(s.job_id, '') FROM results s WHERE `+result+` ORDER BY s.seq LIMIT ?`, resultArgs)
		},
	}
	for _, list := range lists {
		for {
			if time.Since(began) > eraseTime {
				return all, nil
			}
			batch, err := list()
			if err != nil {
				return all, err
			}
			if len(batch) == 0 {
				break
			}
			erased, err := s.eraseBatch(ctx, batch)
			all.Add(erased)
			if err != nil {
				return all, err
			}
		}
	}
	all.Complete = true
	return all, nil
}

func (s *Erasure) list(ctx context.Context, query string, args []any) (batch []erasable, err error) {
	rows, err := s.db.readers.QueryContext(ctx, query, append(args[:len(args):len(args)], eraseBatch)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one erasable
		if err := rows.Scan(&one.id, &one.record, &one.job); err != nil {
			return nil, err
		}
		batch = append(batch, one)
	}
	return batch, rows.Err()
}

// eraseBatch erases a batch in one transaction.
func (s *Erasure) eraseBatch(ctx context.Context, batch []erasable) (edgelens.Erased, error) {
	var subjects []any
	for _, one := range batch {
		subjects = append(subjects, one.id)
		if one.job != "" {
			subjects = append(subjects, one.job)
		}
	}
	var erased edgelens.Erased
	err := s.eraseWithEvents(ctx, subjects, func(c *change) error {
		erased = edgelens.Erased{}
		for _, one := range batch {
			if err := s.eraseOne(c, one, &erased); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return edgelens.Erased{}, err
	}
	return erased, nil
}

// eraseWithEvents does a change, and erases the events about some subjects, in one transaction. The events are found before
// that, since it takes long.
func (s *Erasure) eraseWithEvents(ctx context.Context, subjects []any, do func(*change) error) error {
	in := ` IN (?` + strings.Repeat(`, ?`, len(subjects)-1) + `)`
	var newest int64
	if err := s.db.readers.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM events`).Scan(&newest); err != nil {
		return err
	}
	events, err := s.eventsAbout(ctx, in, subjects)
	if err != nil {
		return err
	}
	return overwrite(ctx, s.db, func(c *change) error {
		if err := do(c); err != nil {
			return err
		}
		for _, seq := range events {
			if _, err := c.exec(`DELETE FROM events WHERE seq = ?`, seq); err != nil {
				return err
			}
		}
		_, err := c.exec(`DELETE FROM events WHERE seq > ? AND subject`+in, append([]any{newest}, subjects...)...)
		return err
	})
}

// overwrite is database.write for a change whose deleted rows SQLite overwrites with zeros.
func overwrite(ctx context.Context, db *database, do func(*change) error) error {
	return db.write(ctx, func(c *change) (err error) {
		if _, err := c.exec(`PRAGMA secure_delete = ON`); err != nil {
			return err
		}
		defer func() {
			if _, off := c.exec(`PRAGMA secure_delete = OFF`); err == nil {
				err = off
			}
		}()
		return do(c)
	})
}

// eventsAbout returns the events about some subjects.
func (s *Erasure) eventsAbout(ctx context.Context, in string, subjects []any) (seqs []int64, err error) {
	rows, err := s.db.readers.QueryContext(ctx, `SELECT seq FROM events WHERE subject`+in, subjects...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, rows.Err()
}

// eraseOne erases one record or other result with its job. A job under way ends without a result.
func (s *Erasure) eraseOne(c *change, one erasable, erased *edgelens.Erased) error {
	if one.record { // first: what is removed without it counts as expired
		if err := s.chains.erase(c, one.id); err != nil {
			return err
		}
	}
	if err := eraseExamplesOf(c, one.id, erased); err != nil { // those that were added meanwhile
		return err
	}
	if one.job != "" {
		if err := s.eraseJob(c, one.job, erased); err != nil {
			return err
		}
	}
	if one.record {
		removed, err := s.outbox.remove(c, `record_id = ?`, one.id)
		if err != nil {
			return err
		}
		erased.Undelivered += int64(len(removed))
		n, err := c.exec(`DELETE FROM records WHERE id = ?`, one.id)
		if err != nil {
			return err
		}
		erased.Records += n
	}
	n, err := c.exec(`DELETE FROM results WHERE id = ?`, one.id)
	erased.Results += n
	return err
}

// eraseJob erases a job, its image and its result.
func (s *Erasure) eraseJob(c *change, id string, erased *edgelens.Erased) error {
	var image, unfinished bool
	var bytes, results int64
	err := c.QueryRowContext(c.ctx, `SELECT image, bytes, finished_at IS NULL, (SELECT count(*) FROM results WHERE job_id = jobs.id) FROM jobs WHERE id = ?`, id).
		Scan(&image, &bytes, &unfinished, &results)
	if errors.Is(err, sql.ErrNoRows) { // removed meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := c.exec(`DELETE FROM jobs WHERE id = ?`, id); err != nil {
		return err
	}
	erased.Jobs++
	erased.Results += results
	if image {
		erased.Images++
		erased.ImageBytes += bytes
		c.dropped = append(c.dropped, id)
	}
	if unfinished {
		c.finished = append(c.finished, id) // those who wait for it find nothing
		s.jobs.poisonCandidate.clear(id)
	}
	return nil
}
