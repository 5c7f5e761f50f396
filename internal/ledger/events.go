package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"edgelens"
)

// Events has the events about jobs, results and devices, in order. It is safe for use by many goroutines.
type Events struct {
	db          *database
	subscribers *subscribers
}

// newEvent is an event to be stored; data becomes JSON.
type newEvent struct {
	kind, subject string
	// owner and device decide who may see it.
	owner, device string
	at            time.Time
	data          any
}

// errorData is the error in the Data of an event.
type errorData struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func errorDataOf(err *edgelens.JobError) *errorData {
	if err == nil {
		return nil
	}
	return &errorData{Code: err.Code, Detail: err.Detail}
}

// insert adds an event.
func (s *Events) insert(c *change, e newEvent) error {
	text, err := json.Marshal(e.data)
	if err != nil {
		return err
	}
	c.events = true
	_, err = c.exec(`INSERT INTO events (type, subject, owner, device, at, data) VALUES (?, ?, ?, ?, ?, ?)`, e.kind, e.subject, e.owner, e.device, e.at.UnixMicro(), string(text))
	return err
}

// Events returns the events after the given seq (0 for the first), in order, at most limit of them (1 to 1000; 0 means
// 50). Those that were removed for their age or number are missing.
//
// A "job" event means that a job was accepted or changed its status; its Data has id, status, attempts, source, device,
// queue and, where there is one, error with code and detail. A "recognition" event means that a result was recorded;
// its Data has id, job_id, source, device, outcome, label, probability, error.
//
// Errors: edgelens.ErrInvalid for a bad limit.
func (s *Events) Events(ctx context.Context, after int64, limit int) ([]edgelens.Event, error) {
	events, err := s.list(ctx, after, limit)
	return events, s.db.explain("read events", err)
}

func (s *Events) list(ctx context.Context, after int64, limit int) ([]edgelens.Event, error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.readers.QueryContext(ctx, `SELECT seq, type, subject, owner, device, at, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []edgelens.Event
	for rows.Next() {
		var event edgelens.Event
		var at int64
		var data string
		if err := rows.Scan(&event.Seq, &event.Type, &event.Subject, &event.Owner, &event.Device, &at, &data); err != nil {
			return nil, err
		}
		event.At, event.Data = time.UnixMicro(at).UTC(), json.RawMessage(data)
		events = append(events, event)
	}
	return events, rows.Err()
}

// OldestEvent returns the seq of the oldest event that is kept; 0 if none is.
func (s *Events) OldestEvent(ctx context.Context) (int64, error) {
	var seq int64
	err := s.db.readers.QueryRowContext(ctx, `SELECT coalesce((SELECT min(seq) FROM events), 0)`).Scan(&seq)
	return seq, s.db.explain("find the oldest event", err)
}

// LastEvent returns the seq of the newest event so far, also where it was removed since; 0 if there was none. Later
// events are new.
func (s *Events) LastEvent(ctx context.Context) (int64, error) {
	var seq int64
	err := s.db.readers.QueryRowContext(ctx, `SELECT seq FROM sqlite_sequence WHERE name = 'events'`).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return seq, s.db.explain("find the newest event", err)
}

// Subscribe returns a channel that yields whenever Events may have more: subscribe first, then read Events until there
// are no more, then wait for the channel and read again. Close of the ledger closes it. cancel ends the subscription; it
// may be called more than once.
func (s *Events) Subscribe() (wake <-chan struct{}, cancel func()) { return s.subscribers.subscribe() }

// removeOld removes up to n of the oldest events from before the given moment, and returns how many.
func (s *Events) removeOld(ctx context.Context, before int64, n int) (int, error) {
	return s.db.delete(ctx, "events", `SELECT seq FROM events WHERE at < ? ORDER BY at LIMIT ?`, before, n)
}

// removeOverCount removes a batch of the oldest events while there are more than max, and returns how many.
func (s *Events) removeOverCount(ctx context.Context, max int) (int, error) {
	return s.db.delete(ctx, "events", `SELECT seq FROM events WHERE seq <= (SELECT MAX(seq) FROM events) - ? ORDER BY seq LIMIT ?`, max, sweepBatch)
}
