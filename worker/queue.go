package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"edgelens"
	"edgelens/internal/clocks"
)

const (
	// taskType is the only type of task.
	taskType = "edgelens:job"
	// redisTimeout is how long a submission waits for Redis. The job is durable by then, and is dispatched later if
	// Redis does not answer.
	redisTimeout = 300 * time.Millisecond
	// maxRetries disables asynq's own bound: the ledger counts attempts.
	maxRetries = 1_000_000
	// sweepInterval is how often tasks are compared with jobs as a precaution.
	sweepInterval = 30 * time.Second
	// jumpAfter is the deviation of the wall clock from the monotonic one that counts as a jump.
	jumpAfter = 2 * time.Second
)

// Queue accepts jobs and ensures that each non-terminal one has a task in Redis, even after Redis lost data. It is safe
// for use by many goroutines.
type Queue struct {
	ledger Ledger
	config Config
	log    *slog.Logger
	redis  redis.UniversalClient
	client *asynq.Client
	// polling is the connection on which the Worker polls for tasks.
	polling redis.UniversalClient
	// node marks this node's keys in Redis.
	node string

	// behind is set when Redis may lack tasks of non-terminal jobs.
	behind atomic.Bool
	// redisStatus is whether Redis serves, as of the last check; doubt holds a token when another check is due.
	redisStatus atomic.Pointer[RedisStatus]
	doubt       chan struct{}
	// unsure is set when a command to Redis got no answer.
	unsure *atomic.Bool
	// generation distinguishes current tasks from earlier ones, which Redis may hold for active without a worker: those
	// of the previous process, and those whose connection was cut.
	generation atomic.Value
	// previous are the earlier generations whose tasks Redis may hold, by queue; only keepUp uses it.
	previous  map[string]string
	inspector *asynq.Inspector
	clock     atomic.Pointer[clocks.Clock]
	unclaimed unclaimed

	running *attempts
	// others are the nodes that share the Redis, nil with a private one; looks bounds their questions.
	others *otherNodes
	looks  chan struct{}
	// claim, once there is a Worker in this process, has it work on a job at once, and reports whether it does.
	claim atomic.Pointer[func(edgelens.Job) bool]
	// ring, once there is a Worker in this process, has it look into a queue in Redis.
	ring atomic.Pointer[func(queue string)]
	// claimed has the ids of the jobs that are worked on so: they have no task, and need none.
	claimed sync.Map
	stop    context.CancelFunc
	loops   sync.WaitGroup
}

// NewQueue connects lazily, so it needs no Redis yet. node is this node's permanent name, by which the workers of other
// processes request its jobs; the Queue serves them from now on, until Close.
func NewQueue(config Config, node string, ledger Ledger, log *slog.Logger) (*Queue, error) {
	unsure := &atomic.Bool{}
	client, err := connect(config.RedisURL, unsure)
	if err != nil {
		return nil, err
	}
	polling, err := connect(config.RedisURL, unsure)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	q := &Queue{
		ledger: ledger, config: config, log: log, redis: client, polling: polling, doubt: make(chan struct{}, 1), client: asynq.NewClientFromRedisClient(client), node: node,
		inspector: asynq.NewInspectorFromRedisClient(client), running: newAttempts(), unsure: unsure,
		previous: map[string]string{}, looks: make(chan struct{}, maxLooks),
	}
	clock := clocks.System()
	q.clock.Store(&clock)
	q.generation.Store(newGeneration())
	q.behind.Store(true) // jobs of the previous process need tasks
	ctx, stop := context.WithCancel(context.Background())
	q.stop = stop
	if !config.Private {
		q.others = newOtherNodes(client, node, log)
	}
	q.loops.Go(func() { q.keepUp(ctx) })
	if !config.Private {
		q.loops.Go(func() { q.serveLeases(ctx) })
	}
	q.loops.Go(func() { q.watch(ctx) })
	return q, nil
}

// watch checks whether Redis serves until ctx ends.
func (q *Queue) watch(ctx context.Context) {
	log := availability{log: q.log, lost: "Redis unavailable; accepted jobs are kept and dispatched later", back: "Redis available again; dispatching queued jobs"}
	watchRedis(ctx, q.redis, &log, q.doubt, func(status RedisStatus) { q.redisStatus.Store(&status) })
}

// RedisStatus returns whether Redis serves, as of the last check; true before the first one.
func (q *Queue) RedisStatus() RedisStatus {
	if status := q.redisStatus.Load(); status != nil {
		return *status
	}
	return RedisStatus{}
}

// Submit makes a job durable and dispatches it to Redis. An unreachable Redis delays the work and not the answer: the
// job is kept and dispatched when Redis is back. The error is the ledger's.
func (q *Queue) Submit(ctx context.Context, spec edgelens.JobSpec, image []byte) (job edgelens.Job, existing bool, err error) {
	if spec.Deadline.IsZero() {
		spec.Deadline = time.Now().Add(q.config.JobTimeout)
	}
	job, existing, err = q.ledger.Accept(ctx, spec, image)
	if err != nil || existing {
		return job, existing, err
	}
	q.place(ctx, job)
	return job, false, nil
}

// Receive makes a record of a device durable and dispatches its job, if it has one. existing is true for a duplicate, of
// which nothing is written. The error is the ledger's.
func (q *Queue) Receive(ctx context.Context, r edgelens.Reception) (existing bool, err error) {
	if r.Job.Deadline.IsZero() {
		r.Job.Deadline = time.Now().Add(q.config.JobTimeout)
	}
	job, existing, err := q.ledger.Receive(ctx, r)
	if err == nil && job.ID != "" {
		q.place(ctx, job)
	}
	return existing, err
}

// place has an accepted job worked on: here and at once where there is a place, else by the process that takes it from Redis.
func (q *Queue) place(ctx context.Context, job edgelens.Job) {
	if claim := q.claim.Load(); claim != nil {
		q.claimed.Store(job.ID, nil)
		if (*claim)(job) {
			return
		}
		q.claimed.Delete(job.ID)
	}
	q.Dispatch(ctx, job)
}

// dispatchAgain enqueues a job after an attempt in this process that failed with that error, to be worked on after a while.
func (q *Queue) dispatchAgain(job edgelens.Job, failed error) {
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	name := job.ID + "." + q.ours() // as usual, so that it has no second task, which would not wait
	if err := q.dispatchAs(ctx, name, job.ID, dispatchQueue(job), asynq.ProcessIn(retryDelay(job.Attempts, failed))); err != nil {
		q.behind.Store(true)
	}
}

// eachUnfinished calls f for every job that is not terminal, with its queue in Redis, until f returns an error.
func (q *Queue) eachUnfinished(ctx context.Context, f func(id, queue string) error) error {
	for job, err := range q.ledger.Unfinished(ctx) {
		if err != nil {
			return err
		}
		if err := f(job.ID, dispatchQueue(job)); err != nil {
			return err
		}
	}
	return nil
}

// Dispatch enqueues a job of the ledger in Redis, at once or when Redis is back.
func (q *Queue) Dispatch(ctx context.Context, job edgelens.Job) {
	// The job is accepted: a client that disconnects must not delay it.
	dispatch, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	if err := q.dispatch(dispatch, job.ID, dispatchQueue(job)); err != nil {
		q.behind.Store(true)
		// keepUp retries within half a second and logs if Redis is still unavailable.
		q.log.Debug("dispatching job failed, retried when Redis is available", "job", job.ID, "error", err)
	}
}

// Reachable reports whether Redis answered recently and no job waits for it.
func (q *Queue) Reachable() bool { return !q.behind.Load() }

// Requeue schedules a check that every non-terminal job has a task; called after Redis was restarted.
func (q *Queue) Requeue() { q.behind.Store(true) }

// newGeneration is random: a machine without a battery-backed clock can start at the same time again and again.
func newGeneration() string { return fmt.Sprintf("%016x", rand.Uint64()) }

// ours is the generation of new tasks.
func (q *Queue) ours() string { return q.generation.Load().(string) }

// Close stops the loops, serves no more requests of other workers, and closes the Redis client.
func (q *Queue) Close() error {
	q.stop()
	q.loops.Wait()
	if q.others != nil {
		q.others.close()
	}
	return errors.Join(q.redis.Close(), q.polling.Close())
}

// dispatch enqueues the task of a job, unless it has one.
func (q *Queue) dispatch(ctx context.Context, id, queue string) error {
	return q.dispatchAs(ctx, id+"."+q.ours(), id, queue)
}

// dispatchAs is dispatch with the name of the task, and further options.
func (q *Queue) dispatchAs(ctx context.Context, name, id, queue string, further ...asynq.Option) error {
	task := asynq.NewTask(taskType, payloadOf(q.node, id))
	options := []asynq.Option{
		asynq.Queue(queue), asynq.TaskID(name), asynq.MaxRetry(maxRetries), asynq.Timeout(q.config.AttemptTimeout),
	}
	if _, err := q.client.EnqueueContext(ctx, task, append(options, further...)...); err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("dispatch the job: %w", err)
	}
	if ring := q.ring.Load(); ring != nil {
		(*ring)(queue)
	}
	return nil
}

// keepUp recreates missing tasks whenever Redis may lack some: at the start, after an outage, and after it lost its
// data. Also after the wall clock was set: a retry in Redis is scheduled by wall time, and would wait for as long as
// the clock was set back.
func (q *Queue) keepUp(ctx context.Context) {
	every := 500 * time.Millisecond
	if q.config.Private {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last time.Time
	before := (*q.clock.Load())()
	for {
		now := (*q.clock.Load())()
		if before.JumpTo(now, jumpAfter) != 0 {
			q.log.Info("wall clock was set, recreating the tasks of unfinished jobs", "event", "clock_set")
			q.unsure.Store(true)
		}
		before = now
		if q.lostMark(ctx) || q.behind.Load() || time.Since(last) > sweepInterval {
			last = time.Now()
			q.catchUp(ctx)
		}
		q.reclaim(ctx)
		q.freeUnclaimed(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lostMark reports whether Redis lacks a mark of our generation, and so, presumably, the tasks: because it lost them,
// or because a new generation begins here after an outage.
func (q *Queue) lostMark(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	marks := map[string]*redis.StringCmd{}
	_, _ = q.redis.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		for _, queue := range queues {
			marks[queue] = p.Get(ctx, q.markKey(queue))
		}
		return nil
	})
	for _, mark := range marks {
		if err := mark.Err(); err != nil && !errors.Is(err, redis.Nil) {
			q.behind.Store(true)
			return false // unreachable
		}
	}
	if q.unsure.Swap(false) {
		q.generation.Store(newGeneration())
	}
	lost := false
	for queue, cmd := range marks {
		mark := cmd.Val()
		if mark == q.ours() {
			continue
		}
		lost = true
		if mark != "" {
			q.previous[queue] = mark
		}
	}
	return lost
}

// markKey is the key of our mark beside a queue. The braces keep it in the hash slot of the queue's tasks, so that a
// server of a Redis Cluster loses both or neither.
func (q *Queue) markKey(queue string) string {
	return "edgelens:{" + queue + "}:" + q.node + ":generation"
}

// catchUp enqueues a task for every non-terminal job that has none, then sets the marks. The next tick retries what
// Redis refuses.
func (q *Queue) catchUp(ctx context.Context) {
	q.behind.Store(false) // a submission that fails from here on sets it again
	made := 0
	err := q.eachUnfinished(ctx, func(id, queue string) error {
		if _, claimed := q.claimed.Load(id); claimed {
			return nil // it is enqueued if it fails
		}
		if previous := q.previous[queue]; previous != "" {
			// A pending task from before the restart would run twice. An active one cannot be deleted; it ends with
			// edgelens.ErrFinished.
			_ = q.inspector.DeleteTask(queue, id+"."+previous)
		}
		made++
		return q.dispatch(ctx, id, queue)
	})
	for _, queue := range queues {
		if err == nil {
			err = q.redis.Set(ctx, q.markKey(queue), q.ours(), 0).Err()
		}
	}
	if err == nil && q.others != nil {
		err = q.others.register(ctx, q.node)
	}
	if err != nil {
		q.behind.Store(true)
		select {
		case q.doubt <- struct{}{}:
		default:
		}
		return
	}
	clear(q.previous)
	if made > 0 {
		q.log.Debug("unfinished jobs have their tasks", "jobs", made)
	}
}
