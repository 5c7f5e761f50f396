package worker

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"
)

const (
	// unclaimedLook is how often the oldest jobs are compared with their tasks.
	unclaimedLook = 2 * time.Second
	// unclaimedTimeout is how long a task may be dequeued without a request for its job, until it is replaced.
	unclaimedTimeout = 4 * time.Second
	// unclaimedJobs is how many of the oldest jobs are checked: stuck jobs become the oldest.
	unclaimedJobs = 32
)

// errEnough ends an iteration over the unfinished jobs.
var errEnough = errors.New("enough")

// unclaimed are the tasks that a process dequeued from Redis without requesting their jobs, which a live process does
// at once. asynq frees such a task after 60 to 100 s. Only keepUp uses it.
type unclaimed struct {
	looked time.Time
	// since is when a task was first found unclaimed, by its name.
	since map[string]time.Time
	// names are those of the replacement tasks, by job.
	names map[string]string
}

// freeUnclaimed enqueues another task for each old job whose task was lost with its process, or that has none. A
// process that was only slow gets edgelens.ErrFinished.
func (q *Queue) freeUnclaimed(ctx context.Context) {
	now := time.Now()
	if now.Sub(q.unclaimed.looked) < unclaimedLook {
		return
	}
	earlier := q.unclaimed
	q.unclaimed = unclaimed{looked: now, since: map[string]time.Time{}, names: map[string]string{}}
	looked := 0
	err := q.eachUnfinished(ctx, func(id, queue string) error {
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
		q.log.Warn("job task unclaimed, requeued", "event", "job_task_unclaimed", "job", id)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
		q.log.Debug("checking for unclaimed tasks failed", "error", err)
	}
}
