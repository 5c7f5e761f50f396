package edgelens

import "time"

// JobFilter selects a page of jobs.
type JobFilter struct {
	// Visible selects those that the client may see; nil means all.
	Visible *Visibility
	// Status selects one state; empty means all.
	Status JobStatus
	// Limit is the largest number wanted, 1 to 1000; 0 means 50.
	Limit int
	// Cursor is the one that the previous page returned; empty means the first page.
	Cursor string
}

// StoredResult is a result in the history, from any source.
type StoredResult struct {
	// ID is a UUIDv7, or the id of its record.
	ID string
	// JobID is empty where there was no job.
	JobID string
	// Device is empty where the image came from no device.
	Device string
	// Owner is the ID of the key of the job's client; empty for none.
	Owner string
	// Source names how the image came in: "http" (a job), "mqtt" or SourceSync.
	Source string
	// Outcome is one of the outcomes below.
	Outcome string
	// Label and Probability are those of the first prediction, if any.
	Label       string
	Probability float64
	CreatedAt   time.Time
	// Reason is a sentence with the cause of the outcome; empty for
	// OutcomeRecognized.
	Reason string
	// Freshness is that of the record on arrival, and FreshnessReason why it was
	// not fresh; empty where there was no record of a terminal.
	Freshness       Freshness
	FreshnessReason string
	// HasImage reports that its image is kept.
	HasImage bool
	// Result is nil where there is an Error or there was no image.
	Result *Result
	Error  *JobError
}

// SourceSync is the source of results that were answered at once.
const SourceSync = "sync"

// The outcomes of stored results.
const (
	OutcomeRecognized = "recognized" // there are predictions
	OutcomeUncertain  = "uncertain"  // no prediction was probable enough, the image is not usable, or the terminal's verdict is not understood
	OutcomeNoImage    = "no_image"   // a record came without an image that can be read
	OutcomeError      = "error"      // the recognition failed
)

// ResultFilter selects a page of results; empty fields select everything.
type ResultFilter struct {
	Device, Label, Outcome, Source string
	// Visible is JobFilter's.
	Visible *Visibility
	// Since and Until bound CreatedAt: not before Since, and before Until.
	Since, Until time.Time
	// Limit and Cursor are JobFilter's.
	Limit  int
	Cursor string
}
