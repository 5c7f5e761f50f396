package worker

import (
	"errors"
	"math/rand/v2"
	"time"

	"edgelens"
)

// disposition is what becomes of a job whose attempt ended with an error.
type disposition int

const (
	// failNow: trying again cannot help; the job fails.
	failNow disposition = iota
	// tryAgain: it may help, and counts as an attempt.
	tryAgain
	// putBack: it was not the image's fault, so it counts as no attempt.
	putBack
)

// String is what the log says.
func (f disposition) String() string { return [...]string{"fail", "retry", "put back"}[f] }

// fates is the one table from errors to retries. What is not in it is a fault
// that nobody thought of, and tried again.
var fates = []struct {
	err         error
	disposition disposition
}{
	{edgelens.ErrNoImage, failNow},
	{edgelens.ErrInvalid, failNow},
	{edgelens.ErrTooLarge, failNow},
	{edgelens.ErrUnsupportedFormat, failNow},
	{edgelens.ErrBadImage, failNow},
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
	for _, f := range fates {
		if errors.Is(err, f.err) {
			return f.disposition
		}
	}
	return tryAgain
}

// lacksModel reports whether it is this process and not the job that cannot be
// helped: its models are not those of the node that accepted the job.
func lacksModel(err error) bool {
	return errors.Is(err, edgelens.ErrUnknownModel) || errors.Is(err, edgelens.ErrModel)
}

// Waits between attempts: doubling from firstWait, with jitter so that what
// failed together does not come back together.
const (
	firstWait = 500 * time.Millisecond
	maxWait   = 30 * time.Second
)

func retryDelay(n int) time.Duration {
	wait := maxWait
	if n < 6 {
		wait = firstWait << max(0, n)
	}
	return wait/2 + rand.N(wait/2)
}
