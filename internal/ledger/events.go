package ledger

import (
	"context"
	"encoding/json"
	"time"

	"edgelens"
)

// The types of the events that the ledger writes.
const (
	eventJob         = "job"
	eventRecognition = "recognition"
)

// jobData is the Data of a "job" event.
type jobData struct {
	ID       string             `json:"id"`
	Status   edgelens.JobStatus `json:"status"`
	Attempts int                `json:"attempts"`
	Source   string             `json:"source"`
	Device   string             `json:"device,omitempty"`
	Queue    string             `json:"queue"`
	Error    *errorData         `json:"error,omitempty"`
}

// recognitionData is the Data of a "recognition" event.
type recognitionData struct {
	ID          string   `json:"id"`
	JobID       string   `json:"job_id,omitempty"`
	Source      string   `json:"source"`
	Device      string   `json:"device,omitempty"`
	Outcome     string   `json:"outcome"`
	Label       string   `json:"label,omitempty"`
	Probability float64  `json:"probability,omitempty"`
	Quality     string   `json:"quality,omitempty"` // the verdict on the image
	Warnings    []string `json:"warnings,omitempty"`
	// Freshness is that of the record on arrival: the event is current only if it is "fresh". Empty without a terminal.
	Freshness       string     `json:"freshness,omitempty"`
	FreshnessReason string     `json:"freshness_reason,omitempty"`
	Error           *errorData `json:"error,omitempty"`
}

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

func (c *change) jobEvent(job *edgelens.Job, at time.Time) error {
	return c.insertEvent(eventJob, job.ID, at, jobData{
		ID: job.ID, Status: job.Status, Attempts: job.Attempts,
		Source: job.Source, Device: job.Device, Queue: job.Queue, Error: errorDataOf(job.Error),
	})
}

func (c *change) recognitionEvent(r *edgelens.StoredResult) error {
	data := recognitionData{
		ID: r.ID, JobID: r.JobID, Source: r.Source, Device: r.Device, Outcome: r.Outcome,
		Label: r.Label, Probability: r.Probability, Error: errorDataOf(r.Error),
		Freshness: string(r.Freshness), FreshnessReason: r.FreshnessReason,
	}
	if r.Result != nil && r.Result.Quality != nil {
		data.Quality = r.Result.Quality.Verdict
	}
	if r.Result != nil {
		data.Warnings = r.Result.Warnings
	}
	return c.insertEvent(eventRecognition, r.ID, r.CreatedAt, data)
}

func (c *change) insertEvent(kind, subject string, at time.Time, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	c.events = true
	_, err = c.exec(`INSERT INTO events (type, subject, at, data) VALUES (?, ?, ?, ?)`, kind, subject, at.UnixMicro(), string(text))
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
func (l *Ledger) Events(ctx context.Context, after int64, limit int) ([]edgelens.Event, error) {
	events, err := l.readEvents(ctx, after, limit)
	return events, l.explain("read events", err)
}

func (l *Ledger) readEvents(ctx context.Context, after int64, limit int) ([]edgelens.Event, error) {
	limit, err := pageLimit(limit)
	if err != nil {
		return nil, err
	}
	rows, err := l.readers.QueryContext(ctx, `SELECT seq, type, subject, at, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var events []edgelens.Event
	for rows.Next() {
		var event edgelens.Event
		var at int64
		var data string
		if err := rows.Scan(&event.Seq, &event.Type, &event.Subject, &at, &data); err != nil {
			return nil, err
		}
		event.At, event.Data = time.UnixMicro(at).UTC(), json.RawMessage(data)
		events = append(events, event)
	}
	return events, rows.Err()
}

// Subscribe returns a channel that yields whenever Events may have more: subscribe first, then read Events until there
// are no more, then wait for the channel and read again. Close closes it. cancel ends the subscription; it may be
// called more than once.
func (l *Ledger) Subscribe() (wake <-chan struct{}, cancel func()) { return l.watchers.subscribe() }
