package worker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"edgelens"
)

// shutdownTimeout is how long Shutdown waits for attempts under way.
const shutdownTimeout = 6 * time.Second

// diskPause is the pause before a write to a full disk is retried.
const diskPause = 250 * time.Millisecond

// settleTimeout bounds the storing of an attempt's result.
const settleTimeout = 10 * time.Second

// How many jobs are at hand for each that may run at a time: of devices and interactive ones, and bulk ones. More would
// drain a queue a little faster, and have an attempt counted whenever the program crashes.
const (
	interactiveAtHand = 2
	bulkAtHand        = 1
)

// queueDevice is the queue in Redis for interactive jobs of devices: a door's event must not wait behind a thousand jobs
// of an app.
const queueDevice = "device"

// queues are all queues in Redis; among the jobs at hand, the core's admission decides the order.
var queues = []string{queueDevice, edgelens.QueueInteractive, edgelens.QueueBulk}

// dispatchQueue is the queue in Redis for a job.
func dispatchQueue(job edgelens.Job) string {
	if job.Device != "" && job.Queue == edgelens.QueueInteractive {
		return queueDevice
	}
	return job.Queue
}

// Worker dequeues tasks from Redis and works on their jobs: those that its own node accepted, if it has a Queue, and
// those of every other node.
type Worker struct {
	redis      redis.UniversalClient
	recognizer edgelens.Recognizer
	log        *slog.Logger
	doorWait   time.Duration
	servers    []*asynq.Server
	running    *attempts
	places     places
	// claims works on the jobs of this process's Queue without Redis.
	claims *claims
	// bell has the servers look into Redis.
	bell *bell
	// remote and remoteBulk bound the jobs of other nodes to the number of slots each, from before the image is
	// transferred until it is recognized: bulk jobs must not keep the others from reaching the core.
	remote, remoteBulk chan struct{}
	jobs               *prometheus.CounterVec
	tracer             edgelens.Tracer
	// stopping ends waiting for a full disk.
	stopping context.Context
	stop     context.CancelFunc

	// node and own are the name and the job store of this process's Queue, if any.
	node  string
	own   JobStore
	quiet silences
	// release closes what belongs to the Worker alone.
	release func() error
}

// NewWorker returns a Worker, not running yet, beside the Queue of the same
// process.
func NewWorker(queue *Queue, recognizer edgelens.Recognizer, tracer edgelens.Tracer, log *slog.Logger, metrics prometheus.Registerer) *Worker {
	w := newWorker(queue.redis, queue.polling, queue.config, recognizer, tracer, log, metrics)
	w.node, w.own, w.running = queue.node, queue.ledger, queue.running
	claim := func(job edgelens.Job) bool { return w.claim(queue, job) }
	queue.claim.Store(&claim)
	ring := w.bell.ring
	queue.ring.Store(&ring)
	return w
}

// NewRemoteWorker returns a Worker, not running yet, in a process that accepts
// no jobs and has no ledger. It connects to config.RedisURL when it is started.
func NewRemoteWorker(config Config, recognizer edgelens.Recognizer, tracer edgelens.Tracer, log *slog.Logger, metrics prometheus.Registerer) (*Worker, error) {
	client, err := connect(config.RedisURL, &atomic.Bool{}) // it has no tasks to recreate
	if err != nil {
		return nil, err
	}
	polling, err := connect(config.RedisURL, &atomic.Bool{})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	w := newWorker(client, polling, config, recognizer, tracer, log, metrics)
	w.running = newAttempts()
	w.release = func() error { return errors.Join(client.Close(), polling.Close()) }
	return w, nil
}

// newWorker returns a Worker that polls for tasks on polling, and requests jobs on client.
func newWorker(client, polling redis.UniversalClient, config Config, recognizer edgelens.Recognizer, tracer edgelens.Tracer, log *slog.Logger, metrics prometheus.Registerer) *Worker {
	concurrency := config.Concurrency
	w := &Worker{
		redis: client, recognizer: recognizer, tracer: tracer, log: log, doorWait: config.DoorWait,
		remote: make(chan struct{}, concurrency), remoteBulk: make(chan struct{}, concurrency),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_jobs_total", Help: "Jobs that reached a terminal state by work, and attempts that did not.",
		}, []string{"status"}),
		release: func() error { return nil },
		places:  newPlaces(concurrency),
	}
	w.claims = newClaims(w.places)
	w.stopping, w.stop = context.WithCancel(context.Background())
	every, delayed := lookInterval, 2*time.Second
	if config.Private {
		every, delayed = privateLookInterval, privateLookInterval
	}
	w.bell = newBell(every, w.stopping.Done())
	polling.AddHook(w.bell)
	polling.AddHook(pace{&atomic.Int64{}, w.stopping.Done()})
	metrics.MustRegister(w.jobs)
	// For each slot some jobs are at hand, so that others are read from and written to the disk, several in one
	// transaction, while one is recognized; acquire limits those of other nodes. Bulk jobs have an asynq server of their
	// own: other jobs must not wait behind prefetched bulk ones.
	w.servers = []*asynq.Server{
		newServer(polling, map[string]int{queueDevice: 2, edgelens.QueueInteractive: 1}, interactiveAtHand*concurrency, delayed, log),
		newServer(polling, map[string]int{edgelens.QueueBulk: 1}, bulkAtHand*concurrency, delayed, log),
	}
	w.bell.add(queueDevice, edgelens.QueueInteractive)
	w.bell.add(edgelens.QueueBulk)
	return w
}

// newServer returns an asynq server for queues, of which it always takes the highest that has a task. It looks for delayed
// tasks whose time has come at an interval.
func newServer(client redis.UniversalClient, queues map[string]int, concurrency int, delayed time.Duration, log *slog.Logger) *asynq.Server {
	return asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency:              concurrency,
		Queues:                   queues,
		StrictPriority:           true,
		TaskCheckInterval:        checkInterval,
		DelayedTaskCheckInterval: delayed,
		RetryDelayFunc:           func(n int, err error, _ *asynq.Task) time.Duration { return retryDelay(n, err) },
		ShutdownTimeout:          shutdownTimeout,
		Logger:                   asynqLog{log},
		LogLevel:                 asynq.WarnLevel,
	})
}

// Start begins to dequeue tasks. It does not wait for Redis.
func (w *Worker) Start() error {
	for _, server := range w.servers {
		if err := server.Start(asynq.HandlerFunc(w.process)); err != nil {
			return fmt.Errorf("start the worker: %w", err)
		}
	}
	w.claims.start()
	return nil
}

// Shutdown stops dequeuing and waits for the attempts under way, but no longer than shutdownTimeout; the rest is
// requeued.
func (w *Worker) Shutdown() {
	w.stop()
	var ending sync.WaitGroup
	ending.Go(func() { w.claims.stop(shutdownTimeout) })
	for _, server := range w.servers {
		ending.Go(server.Shutdown)
	}
	ending.Wait()
	if err := w.release(); err != nil && !errors.Is(err, redis.ErrClosed) {
		w.log.Warn("closing the Redis client failed", "error", err)
	}
}

// jobStore returns the job store of the node that accepted a job, for one attempt.
func (w *Worker) jobStore(node string) JobStore {
	if w.own != nil && node == w.node {
		return w.own
	}
	return newRemoteStore(w.redis, node, &w.quiet)
}

// process works on one task: the payload names the accepting node and the job. It returns nil once the task has no more
// use, whatever the job's state.
func (w *Worker) process(ctx context.Context, task *asynq.Task) error {
	node, id, ok := parsePayload(task.Payload())
	if !ok {
		w.log.Warn("task with an invalid payload dropped; its node will enqueue another")
		return nil
	}
	ctx, end, alone := w.running.begin(ctx, id)
	if !alone {
		return nil
	}
	defer end()
	queue, _ := asynq.GetQueueName(ctx) // each task has one
	free, err := w.places.take(ctx, queue)
	if err != nil {
		return err
	}
	defer free()
	return w.work(ctx, w.jobStore(node), id)
}

// work works on a job of a job store. It returns nil once there is nothing left to do, whatever the job's state.
func (w *Worker) work(ctx context.Context, jobStore JobStore, id string) error {
	job, image, recognized, err := w.begin(ctx, jobStore, id)
	switch {
	case errors.Is(err, edgelens.ErrFinished), errors.Is(err, edgelens.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("start job %s: %w", id, err)
	}
	defer recognized() // also where the core panics
	attempt := w.beginAttempt(job)
	result, err := w.recognize(ctx, job, image, attempt.trace)
	recognized()
	published := time.Now()
	written := w.settle(jobStore, job, result, err)
	attempt.end(err, written, published)
	return written
}

// begin starts a job at its job store. The function must be called when the job is recognized, or will not be.
func (w *Worker) begin(ctx context.Context, jobStore JobStore, id string) (job edgelens.Job, image []byte, recognized func(), err error) {
	recognized = func() {}
	err = w.withRoom(ctx, func() (err error) {
		if _, remote := jobStore.(*remoteStore); remote {
			places := w.remote
			if queue, _ := asynq.GetQueueName(ctx); queue == edgelens.QueueBulk {
				places = w.remoteBulk
			}
			if recognized, err = w.acquire(ctx, places); err != nil {
				return err
			}
		}
		if job, image, err = jobStore.Start(ctx, id); err != nil {
			recognized()
		}
		return err
	})
	return job, image, recognized, err
}

// acquire waits for a place among the jobs of other nodes, so that no more of their images are transferred than can be
// recognized. A slow node does not block this node's own jobs. The function frees the place.
func (w *Worker) acquire(ctx context.Context, places chan struct{}) (func(), error) {
	select {
	case places <- struct{}{}:
		return sync.OnceFunc(func() { <-places }), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a slot for another node's job: %w", edgelens.ErrCanceled)
	case <-w.stopping.Done():
		return nil, fmt.Errorf("wait for a slot for another node's job: %w", edgelens.ErrStopping)
	}
}

// recognize calls the core, in which the job waits for its turn until the attempt's time is over.
func (w *Worker) recognize(ctx context.Context, job edgelens.Job, image []byte, trace edgelens.Trace) (*edgelens.Result, error) {
	digest, err := digestOf(job.SHA256)
	if err != nil {
		return nil, err
	}
	// A corrupt disk, or another client of Redis, must not give one image the result of another, nor put it into the
	// cache under the other's digest.
	if sha256.Sum256(image) != digest {
		return nil, fmt.Errorf("read the image of the job: %w: the stored bytes differ from the accepted ones; submit the job again", edgelens.ErrBadImage)
	}
	req := edgelens.Request{
		ID: job.ID, Source: "job", Device: job.Device, Owner: job.Owner, Record: job.Record, Trace: trace, Image: image, SHA256: digest,
		Model: job.Model, Task: job.Task, TopK: job.TopK, MinScore: job.MinScore, View: job.View, NoCache: job.NoCache,
		Priority: w.priorityOf(job, time.Now()),
	}
	return w.recognizer.Recognize(ctx, &req)
}

// priorityOf is the priority of a job's recognition. Records that a device sends late are bulk jobs: no one waits at the
// door for them. Those that were delayed here are like other clients' jobs, so that they do not delay newer ones.
func (w *Worker) priorityOf(job edgelens.Job, now time.Time) edgelens.Priority {
	switch {
	case job.Queue == edgelens.QueueBulk:
		return edgelens.PriorityBulk
	case job.Device != "" && now.Sub(job.CreatedAt) < w.doorWait:
		return edgelens.PriorityDevice
	default:
		return edgelens.PriorityInteractive
	}
}

// withRoom retries while nothing can be stored. No job can be worked on then, so the slot and the result are kept:
// putting the job back would need the disk as well, and its next start would count as another attempt.
func (w *Worker) withRoom(ctx context.Context, write func() error) error {
	for {
		err := write()
		if !edgelens.NotStored(err) {
			return err
		}
		select {
		case <-time.After(diskPause):
		case <-ctx.Done():
			return err
		case <-w.stopping.Done():
			return err
		}
	}
}

// settle stores the outcome of an attempt. It does not use the attempt's context, which may have ended.
func (w *Worker) settle(jobStore JobStore, job edgelens.Job, result *edgelens.Result, err error) error {
	disposition := dispositionOf(err)
	if _, remote := jobStore.(*remoteStore); remote && lacksModel(err) {
		disposition = putBack // for a worker that has the model
	}
	written := w.withRoom(context.Background(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
		defer cancel()
		switch {
		case err == nil:
			return jobStore.Finish(ctx, job.ID, result)
		case disposition == failNow:
			return jobStore.Fail(ctx, job.ID, edgelens.JobError{Code: edgelens.Code(err), Detail: err.Error()})
		default:
			return jobStore.Release(ctx, job.ID, disposition == putBack)
		}
	})
	switch {
	case err == nil:
		return w.settled(edgelens.JobSucceeded, written)
	case disposition == failNow:
		return w.settled(edgelens.JobFailed, written)
	}
	w.jobs.WithLabelValues("retried").Inc()
	switch released := written; {
	case errors.Is(released, edgelens.ErrFinished): // canceled meanwhile
		return nil
	case released != nil:
		return fmt.Errorf("put job %s back: %w", job.ID, released)
	}
	return fmt.Errorf("job %s, attempt %d: %w", job.ID, job.Attempts, err)
}

// settled counts a terminal state. That another process set it first is fine; if the ledger could not write it, the
// task is retried.
func (w *Worker) settled(status edgelens.JobStatus, err error) error {
	switch {
	case errors.Is(err, edgelens.ErrFinished):
		return nil
	case err != nil:
		return fmt.Errorf("finish the job: %w", err)
	}
	w.jobs.WithLabelValues(string(status)).Inc()
	return nil
}
