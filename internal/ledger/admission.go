package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"edgelens"
)

// The bounds of Retry-After.
const (
	minRetry = time.Second
	maxRetry = time.Minute
)

// admission decides whether another job or record can be accepted. It is safe for use by many goroutines.
type admission struct {
	config Config
	db     *database
	space  *space
	// lastStart is when a job last left the queue, by the monotonic clock.
	lastStart atomic.Int64
}

func newAdmission(config Config, db *database, space *space) *admission {
	a := &admission{config: config, db: db, space: space}
	a.noteStart()
	return a
}

// noteStart stores that a job has left the queue.
func (a *admission) noteStart() { a.lastStart.Store(int64(a.db.clock().Monotonic)) }

func (a *admission) checkSpec(spec edgelens.JobSpec, image []byte) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", edgelens.ErrInvalid, fmt.Sprintf(format, args...))
	}
	digest, err := hex.DecodeString(spec.SHA256)
	switch {
	case len(image) == 0:
		return edgelens.ErrNoImage
	case int64(len(image)) != spec.Bytes:
		return invalid("the image has %d bytes, not %d", len(image), spec.Bytes)
	case err != nil || len(digest) != 32:
		return invalid("%q is not a SHA-256 in hexadecimal", spec.SHA256)
	case spec.Queue != edgelens.QueueInteractive && spec.Queue != edgelens.QueueBulk:
		return invalid("the queue must be %s or %s, not %q", edgelens.QueueInteractive, edgelens.QueueBulk, spec.Queue)
	case strings.ContainsRune(spec.IdempotencyKey, '\n'):
		return invalid("an idempotency key has no line feed")
	case spec.Bytes > a.config.MaxBytes:
		return fmt.Errorf("%w: the image has %d bytes, and all images together may have %d (max_bytes)", edgelens.ErrTooLarge, spec.Bytes, a.config.MaxBytes)
	}
	return edgelens.CheckOptions(spec.TopK, spec.MinScore, spec.View)
}

// admit returns the earlier job with spec's key, if any, or an error where spec cannot be accepted now.
func (a *admission) admit(ctx context.Context, q querier, spec edgelens.JobSpec) (earlier *edgelens.Job, err error) {
	if earlier, err = earlierJob(ctx, q, spec); err != nil || earlier != nil {
		return earlier, err
	}
	queued, bytes, err := unfinishedJobs(ctx, q)
	switch {
	case err != nil:
		return nil, err
	case queued >= int64(a.config.MaxQueued):
		return nil, a.busy(fmt.Sprintf("%d jobs are queued, which is the limit; try again later", queued))
	case bytes+spec.Bytes > a.config.MaxBytes:
		return nil, a.busy("the images of queued jobs take all the space allowed; try again later")
	}
	return nil, a.checkPromises(bytes)
}

// checkRecord returns an error where a record cannot be made durable, or no more can be accepted. Whether its image is
// recognized is decided by admit.
func (a *admission) checkRecord(ctx context.Context, r *edgelens.Record) error {
	if err := a.checkFiles(r.ImageBytes); err != nil {
		return err
	}
	if err := a.space.checkIDs(); err != nil {
		return err
	}
	over, _ := a.space.full()
	if over <= 0 {
		return nil
	}
	_, waiting, err := unfinishedJobs(ctx, a.db.readers)
	if err != nil || over <= waiting {
		return err // in the latter case the record has room
	}
	return a.space.noRoom()
}

// checkFiles returns an error where nothing can be written, or not that many bytes more.
func (a *admission) checkFiles(bytes int64) error {
	if err := a.db.storage.checkWritable(); err != nil {
		return err
	}
	return a.db.storage.checkRoom(bytes)
}

// checkPromises returns an error where MinAge protects all content, as of the last sweep; waiting is the size of the
// images of unfinished jobs in it.
func (a *admission) checkPromises(waiting int64) error {
	over, _ := a.space.full()
	switch {
	case over <= 0:
		return nil
	case over <= waiting:
		return a.busy("the images of queued jobs and rows that are too young to be removed take all the space; try again later")
	}
	return a.space.noRoom()
}

// busy predicts that the queue stalls as long again as it has: a measurement where workers are leasing jobs, longer
// where none is.
func (a *admission) busy(reason string) *edgelens.Busy {
	still := a.db.clock().Monotonic - time.Duration(a.lastStart.Load())
	return &edgelens.Busy{RetryAfter: min(max(still, minRetry), maxRetry), Reason: reason}
}
