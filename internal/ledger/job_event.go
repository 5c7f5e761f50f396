package ledger

import (
	"time"

	"edgelens"
)

// eventJob is the type of the events about jobs.
const eventJob = "job"

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

// jobEvent returns the event of a job that was accepted, or changed its status.
func jobEvent(job *edgelens.Job, at time.Time) newEvent {
	return newEvent{kind: eventJob, subject: job.ID, owner: job.Owner, device: job.Device, at: at, data: jobData{
		ID: job.ID, Status: job.Status, Attempts: job.Attempts,
		Source: job.Source, Device: job.Device, Queue: job.Queue, Error: errorDataOf(job.Error),
	}}
}
