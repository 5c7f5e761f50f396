// Package worker is the queue face: jobs are accepted, dispatched through
// Redis by asynq, recognized by the same core as everything else, and finished
// in the ledger.
//
// The ledger is the truth and Redis only a dispatcher: a task carries nothing
// but the names of the accepting node and the job, tasks that were lost are
// made again from the ledger, and a task too many finds that its job is done
// with. asynq delivers at least once; the ledger makes a terminal state happen
// once.
//
// A Worker asks the accepting node's desk for the job: its own ledger, or that
// of another node through Redis (docs/adr/0008-scale-out.md).
package worker

import (
	"context"
	"errors"

	"edgelens"
)

// ErrDone is what a Desk returns for a job that has reached its terminal
// state already, or that somebody else is working on. The task behind it is
// dropped.
var ErrDone = errors.New("the job is done with")

// JobStore hands out jobs and takes down what became of them. It is safe for use
// by many goroutines.
type JobStore interface {
	// Start counts the attempt durably and then reads the image. The error
	// wraps ErrDone where there is nothing to do (any more).
	Start(ctx context.Context, id string) (edgelens.Job, []byte, error)
	// Release puts a started job back; refund takes the attempt back too,
	// where it was not the image's fault.
	Release(ctx context.Context, id string, refund bool) error
	// Finish and Fail move the job to its terminal state; ErrDone where
	// something else has.
	Finish(ctx context.Context, id string, result *edgelens.Result) error
	Fail(ctx context.Context, id string, why edgelens.JobError) error
}

// Ledger keeps jobs durably. It is safe for use by many goroutines.
type Ledger interface {
	JobStore
	// Accept makes the job and its image durable before it returns.
	// existing is true where the client's idempotency key already named the
	// same job. The error wraps ErrConflict, ErrDiskFull or ErrBusy.
	Accept(ctx context.Context, spec edgelens.JobSpec, image []byte) (job edgelens.Job, existing bool, err error)
	// Cancel moves the job to canceled; ErrDone where it is terminal.
	Cancel(ctx context.Context, id string) (edgelens.Job, error)
	// Unfinished calls yield for every job that is not terminal, oldest
	// first, until it returns an error.
	Unfinished(ctx context.Context, yield func(id, queue string) error) error
}
