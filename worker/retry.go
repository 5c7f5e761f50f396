package worker

import (
	"errors"
	"time"

	"edgelens/internal/backoff"

	"edgelens"
)

// disposition is how a job continues after an attempt with an error.
type disposition int

const (
	// failNow: a retry cannot help; the job fails.
	failNow disposition = iota
	// tryAgain: a retry may help, and the attempt counts.
	tryAgain
	// putBack: the image did not cause the error, so the attempt does not count.
	putBack
)

// String is the name for the log.
func (f disposition) String() string { return [...]string{"fail", "retry", "put back"}[f] }

// dispositions is the one table from errors to retries. An error that is not in it is retried.
var dispositions = []struct {
	err         error
	disposition disposition
}{
	{edgelens.ErrNoImage, failNow},
	{edgelens.ErrInvalid, failNow},
	{edgelens.ErrTooLarge, failNow},
	{edgelens.ErrUnsupportedFormat, failNow},
	{edgelens.ErrBadImage, failNow},
	{edgelens.ErrUnauthorized, failNow},
	{edgelens.ErrForbidden, failNow},
	{edgelens.ErrUnknownModel, failNow},
	{edgelens.ErrNotFound, failNow},
	{edgelens.ErrFinished, failNow},
	{edgelens.ErrInUse, failNow},
	{edgelens.ErrConflict, failNow},
	{edgelens.ErrNoModel, failNow},
	{edgelens.ErrModel, failNow},
	{edgelens.ErrInference, tryAgain},
	{edgelens.ErrDeadline, tryAgain},
	{edgelens.ErrBusy, putBack},
	{edgelens.ErrStopping, putBack},
	{edgelens.ErrCanceled, putBack},
	{edgelens.ErrDiskFull, putBack},
	{edgelens.ErrStorage, putBack},
}

func dispositionOf(err error) disposition {
	for _, f := range dispositions {
		if errors.Is(err, f.err) {
			return f.disposition
		}
	}
	return tryAgain
}

// lacksModel reports whether the error is due to this process and not to the job: it lacks the models of the node that
// accepted the job.
func lacksModel(err error) bool {
	return errors.Is(err, edgelens.ErrUnknownModel) || errors.Is(err, edgelens.ErrModel)
}

// Waits between attempts: doubling from firstWait, with jitter so that jobs that failed together are not retried
// together.
const (
	firstWait = 500 * time.Millisecond
	maxWait   = 30 * time.Second
)

// retryDelay returns the wait after the attempt n, from 0: not less than what a busy part asks for.
func retryDelay(n int, err error) time.Duration {
	delay := backoff.After(n+1, firstWait, maxWait)
	var busy *edgelens.Busy
	if errors.As(err, &busy) {
		delay = max(delay, min(busy.RetryAfter, maxWait))
	}
	return delay
}
