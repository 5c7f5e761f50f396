package edgelens

import "time"

// JobFilter selects a page of jobs.
type JobFilter struct {
	// Status selects one state; empty means all.
	Status JobStatus
	Limit  int
	// Cursor is what the page before returned; empty means the first page.
	Cursor string
}

// StoredResult is a result in the history, whatever way its picture came in.
type StoredResult struct {
	// ID is a UUIDv7.
	ID string
	// JobID is empty where there was no job.
	JobID string
	// Device is empty where the picture came from no device.
	Device string
	Face   string
	// Outcome is OutcomeRecognized or OutcomeError.
	Outcome   string
	CreatedAt time.Time
	// Result is nil for OutcomeError.
	Result *Result
}

// The outcomes of stored results.
const (
	OutcomeRecognized = "recognized"
	OutcomeError      = "error"
)

// ResultFilter selects a page of results; empty fields select everything.
type ResultFilter struct {
	Device, Label, Outcome string
	Since, Until           time.Time
	Limit                  int
	Cursor                 string
}
