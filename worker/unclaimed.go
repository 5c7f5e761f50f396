package worker

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"
)

const (
	// unclaimedLook is how often the oldest jobs are held against their tasks.
	unclaimedLook = 2 * time.Second
	// unclaimedTimeout is how long a task may be taken and nobody ask for its
	// job, until another is made.
	unclaimedTimeout = 4 * time.Second
	// unclaimedJobs is how many of the oldest jobs are looked at: what is stuck
	// grows old.
	unclaimedJobs = 32
)

// errEnough ends a walk through the unfinished jobs.
var errEnough = errors.New("enough")

// unclaimed are the tasks that a process took from Redis without asking for
// their jobs, which it does at once while it lives. asynq frees such a task
// after 60 to 100 s. It belongs to keepUp.
type unclaimed struct {
	looked time.Time
	// since is when a task was first found so, by its name.
	since map[string]time.Time
	// names are those of the tasks that were made in place of others, by job.
	names map[string]string
}

// freeUnclaimed makes another task for each old job whose task a process died
// with, or that has none. A process that only was slow finds the job taken.
func (q *Queue) freeUnclaimed(ctx context.Context) {
	now := time.Now()
	if now.Sub(q.unclaimed.looked) < unclaimedLook {
		return
	}
	earlier := q.unclaimed
	q.unclaimed = unclaimed{looked: now, since: map[string]time.Time{}, names: map[string]string{}}
	looked := 0
	err := q.ledger.Unfinished(ctx, func(id, queue string) error {
		if looked++; looked > unclaimedJobs {
			return errEnough
		}
		name := id + "." + q.ours()
		if other, ok := earlier.names[id]; ok {
			name = other
			q.unclaimed.names[id] = name
		}
		if q.running.has(id) {
			return nil
		}
		info, err := q.inspector.GetTaskInfo(queue, name)
		if err == nil && info.State != asynq.TaskStateActive {
			return nil
		}
		if err != nil && !errors.Is(err, asynq.ErrTaskNotFound) && !errors.Is(err, asynq.ErrQueueNotFound) {
			return err
		}
		since, ok := earlier.since[name]
		if !ok {
			since = now
		}
		if now.Sub(since) < unclaimedTimeout {
			q.unclaimed.since[name] = since
			return nil
		}
		other := id + "." + newGeneration()
		if err := q.dispatchAs(ctx, other, id, queue); err != nil {
			return err
		}
		q.unclaimed.names[id] = other
		q.log.Warn("a worker took a job's task and never asked for the job; another will take it", "job", id)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
		q.log.Debug("look for tasks that nobody works on", "error", err)
	}
}
