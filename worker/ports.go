// Package worker is the job queue: jobs are accepted, dispatched through Redis by asynq, recognized by the same core as
// requests of all other sources, and finished in the ledger.
//
// The ledger is authoritative and Redis only a dispatcher: a task carries nothing but the names of the accepting node
// and the job, lost tasks are recreated from the ledger, and a surplus task ends with edgelens.ErrFinished. asynq delivers at least
// once; the ledger makes the terminal state final.
//
// A Worker leases jobs from the accepting node's job store: its own ledger, or that of another node through Redis
// (docs/adr/0008-scale-out.md).
package worker

import (
	"context"
	"iter"

	"edgelens"
)

// JobStore leases jobs and stores their results. It is safe for use by many goroutines.
type JobStore interface {
	// Start counts the attempt durably and then reads the image. The error wraps edgelens.ErrFinished where there is nothing left to
	// do.
	Start(ctx context.Context, id string) (edgelens.Job, []byte, error)
	// Release puts a started job back; refund uncounts the attempt, where its failure was not caused by the image.
	Release(ctx context.Context, id string, refund bool) error
	// Finish and Fail move the job to its terminal state; edgelens.ErrFinished where it has one.
	Finish(ctx context.Context, id string, result *edgelens.Result) error
	Fail(ctx context.Context, id string, why edgelens.JobError) error
}

// Ledger keeps jobs durably. It is safe for use by many goroutines.
type Ledger interface {
	JobStore
	// Accept makes the job and its image durable before it returns. existing is true where the client's idempotency key
	// already names the same job. The error wraps ErrConflict, ErrDiskFull or ErrBusy.
	Accept(ctx context.Context, spec edgelens.JobSpec, image []byte) (job edgelens.Job, existing bool, err error)
	// Job returns the job, and Wait once it is terminal, or as it is when ctx ends.
	Job(ctx context.Context, id string) (edgelens.Job, error)
	Wait(ctx context.Context, id string) (edgelens.Job, error)
	// Cancel moves the job to canceled; edgelens.ErrFinished where it is terminal.
	Cancel(ctx context.Context, id string) (edgelens.Job, error)
	// Receive stores a record of a device and, unless existing, its job. job has no ID where the record needs none.
	// existing is true for a duplicate, of which nothing is written.
	Receive(ctx context.Context, r edgelens.Reception) (job edgelens.Job, existing bool, err error)
	// Unfinished yields every job that is not terminal, oldest first. An error ends it.
	Unfinished(ctx context.Context) iter.Seq2[edgelens.Job, error]
}
