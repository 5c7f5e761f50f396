package ledger

import (
	"context"
	"time"

	"edgelens"
)

const (
	// earlyEnd is the age of a program up to which its end is no evidence against the images that were under way. At power cuts
	// in a row, those of the first are started again at once, and are under way at the second, too.
	earlyEnd = time.Minute
	// retryFrom is how long after the start of the program such a job is started again.
	retryFrom = 5 * time.Second
)

// poisonTimeout is how long Start waits its turn for a job whose last attempt has no outcome, before it returns
// edgelens.Busy. A worker of another node waits for 3 s.
const poisonTimeout = 2 * time.Second

// poisonCandidate is the job under way whose last attempt has no outcome. There is one at a time, so that when the
// program crashes again this one is the cause, and not those that ran beside it both times. Only the writer's goroutine
// uses it.
type poisonCandidate struct {
	id   string
	gone chan struct{} // closed when its attempt has an outcome
}

// become makes a job the candidate, or returns a channel that is closed when the previous one has an outcome.
func (p *poisonCandidate) become(id string) (ahead <-chan struct{}) {
	switch p.id {
	case id:
		return nil
	case "":
		p.id, p.gone = id, make(chan struct{})
		return nil
	default:
		return p.gone
	}
}

// clear records that a job's attempt has an outcome.
func (p *poisonCandidate) clear(id string) {
	if p.id == id {
		close(p.gone)
		p.id = ""
	}
}

// tooEarly returns the error of a job that was started early by the former program and that this one would start early, with
// the time until it may be started.
func (db *database) tooEarly(job *edgelens.Job, now time.Duration) error {
	age, sinceOpen := job.StartedAt.Sub(db.formerOpened), now-db.opened
	if age > earlyEnd || sinceOpen >= retryFrom {
		return nil
	}
	return &edgelens.Busy{RetryAfter: max(retryFrom-sinceOpen, minRetry), Reason: "the job was under way when the service ended soon after its start; it is started again once the service has run for a while"}
}

// await waits until ahead is closed; closing ends it with the ledger.
func await(ctx context.Context, ahead, closing <-chan struct{}, timeout <-chan time.Time) error {
	select {
	case <-ahead:
		return nil
	case <-timeout:
		return &edgelens.Busy{RetryAfter: minRetry, Reason: "another job whose last attempt crashed is being retried; this one waits for it"}
	case <-ctx.Done():
		return ctx.Err()
	case <-closing:
		return edgelens.ErrStopping
	}
}
