package edgelens

import "time"

// JobStatus is the progress of a job. Four of the states are terminal: a job
// reaches exactly one of them, once, and never leaves it.
type JobStatus string

// The states of a job.
const (
	JobQueued    JobStatus = "queued"    // accepted, waiting for a worker
	JobRunning   JobStatus = "running"   // leased by a worker
	JobSucceeded JobStatus = "succeeded" // terminal: there is a result
	JobFailed    JobStatus = "failed"    // terminal: there is an error
	JobCanceled  JobStatus = "canceled"  // terminal: the client canceled it
	JobExpired   JobStatus = "expired"   // terminal: its deadline passed first
)

// Terminal reports whether a job in this state has ended.
func (s JobStatus) Terminal() bool {
	switch s {
	case JobSucceeded, JobFailed, JobCanceled, JobExpired:
		return true
	default:
		return false
	}
}

// The queues of jobs. Workers take interactive jobs more often than bulk ones,
// but starve neither.
const (
	QueueInteractive = "interactive"
	QueueBulk        = "bulk"
)

// JobSpec is what a job is to do; it does not change.
type JobSpec struct {
	// Source names how the request came in: "http", "mqtt".
	Source string
	// Device is the terminal that sent the image; empty for other clients.
	Device string
	// Record is the id of the terminal's record; empty for other clients.
	Record string
	// Owner is the ID of the key that submitted the job; empty for none.
	Owner string
	// Queue is QueueInteractive or QueueBulk.
	Queue string
	// Model, Task, TopK, MinScore, View and NoCache are those of a Request.
	Model    string
	Task     string
	TopK     int
	MinScore float64
	View     View
	NoCache  bool
	// SHA256 is the hex digest of the image and Bytes its size.
	SHA256 string
	Bytes  int64
	// IdempotencyKey is the client's name for this job; empty for none. Owners have
	// names of their own.
	IdempotencyKey string
	// Deadline is when the job expires if it has not ended by then.
	Deadline time.Time
	// Trace is the span that the job is a part of; empty for none.
	Trace Trace
}

// Job is a recognition that runs in the background, and its state.
type Job struct {
	// ID is a UUIDv7, so jobs sort by the time they were accepted.
	ID string
	JobSpec
	Status JobStatus
	// Held reports that it was unfinished in a backup that was restored, and waits
	// until it is released.
	Held bool
	// Attempts is how many times a worker has started it.
	Attempts  int
	CreatedAt time.Time
	// StartedAt is when the last attempt began; zero before the first.
	StartedAt time.Time
	// FinishedAt is zero until the job is terminal.
	FinishedAt time.Time
	// Result is set once the job has succeeded.
	Result *Result
	// Error is set once the job has failed or expired.
	Error *JobError
}

// JobError is why a job failed.
type JobError struct {
	// Code is that of the sentinel error, as in Code.
	Code string
	// Detail is a sentence for the client.
	Detail string
}
