package ledger

import (
	"context"
	"time"

	"edgelens"
)

// poisonTimeout is how long Start waits for its turn at jobs that nobody came
// back from, before it says edgelens.Busy. A worker of another node asks its
// owner for 3 s.
const poisonTimeout = 2 * time.Second

// poisonCandidate is the job under way that was started before and that nobody came
// back from. There is one at a time, so that when the program crashes again this
// one is to blame, and not those that were at work beside it both times. It
// belongs to the writer's goroutine.
type poisonCandidate struct {
	id   string
	gone chan struct{} // closed when somebody has come back
}

// become makes a job the suspect, or returns what is closed when the one before
// it is gone.
func (s *poisonCandidate) become(id string) (ahead <-chan struct{}) {
	switch s.id {
	case id:
		return nil
	case "":
		s.id, s.gone = id, make(chan struct{})
		return nil
	default:
		return s.gone
	}
}

// clear notes that somebody came back from a job.
func (s *poisonCandidate) clear(id string) {
	if s.id == id {
		close(s.gone)
		s.id = ""
	}
}

// await waits until ahead is closed.
func (l *Ledger) await(ctx context.Context, ahead <-chan struct{}, timeout <-chan time.Time) error {
	select {
	case <-ahead:
		return nil
	case <-timeout:
		return &edgelens.Busy{RetryAfter: minRetry, Reason: "another job that nobody came back from is being tried; this one must wait for it"}
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closing:
		return edgelens.ErrStopping
	}
}
