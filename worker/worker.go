package worker

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
)

// shutdownPatience is how long Shutdown lets attempts under way end.
const shutdownPatience = 8 * time.Second

// diskPause is how long the worker waits before it tries a full disk again.
const diskPause = 250 * time.Millisecond

// queueWeights make workers take interactive jobs six times as often as bulk
// ones while both wait, and starve neither.
var queueWeights = map[string]int{edgelens.QueueInteractive: 6, edgelens.QueueBulk: 1}

// Worker takes tasks from Redis and works on their jobs.
type Worker struct {
	queue      *Queue
	recognizer edgelens.Recognizer
	log        *slog.Logger
	server     *asynq.Server
	// slots bound what is recognized at a time, also where asynq believes an
	// attempt to be over.
	slots chan struct{}
	jobs  *prometheus.CounterVec
	// stopping ends what waits for a full disk.
	stopping context.Context
	stop     context.CancelFunc
}

// NewWorker returns a Worker that is not running yet.
func NewWorker(queue *Queue, recognizer edgelens.Recognizer, log *slog.Logger, metrics prometheus.Registerer) *Worker {
	w := &Worker{
		queue: queue, recognizer: recognizer, log: log, slots: make(chan struct{}, queue.config.Concurrency),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edgelens_jobs_total", Help: "Jobs that reached a terminal state by work, and attempts that did not.",
		}, []string{"status"}),
	}
	w.stopping, w.stop = context.WithCancel(context.Background())
	metrics.MustRegister(w.jobs)
	w.server = asynq.NewServerFromRedisClient(queue.redis, asynq.Config{
		// Twice as many, so that one job is read from and written to the disk
		// while another has the slot.
		Concurrency:              2 * queue.config.Concurrency,
		Queues:                   queueWeights,
		TaskCheckInterval:        100 * time.Millisecond,
		DelayedTaskCheckInterval: 500 * time.Millisecond,
		RetryDelayFunc:           func(n int, _ error, _ *asynq.Task) time.Duration { return retryDelay(n) },
		ShutdownTimeout:          shutdownPatience,
		Logger:                   asynqLog{log},
		LogLevel:                 asynq.WarnLevel,
	})
	return w
}

// Start begins to take tasks. It does not wait for Redis.
func (w *Worker) Start() error {
	if err := w.server.Start(asynq.HandlerFunc(w.process)); err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	return nil
}

// Shutdown takes no more tasks and waits for the attempts under way, but no
// longer than a few seconds; what is left goes back into the queue.
func (w *Worker) Shutdown() {
	w.stop()
	w.server.Shutdown()
}

// process works on one task: the payload is the job's id. It returns nil once
// the task is of no more use, whatever became of the job.
func (w *Worker) process(ctx context.Context, task *asynq.Task) error {
	id := string(task.Payload())
	ctx, end, alone := w.queue.running.begin(ctx, id)
	if !alone {
		return nil
	}
	defer end()
	var job edgelens.Job
	var image []byte
	err := w.withRoom(ctx, func() (err error) {
		job, image, err = w.queue.ledger.Start(ctx, id)
		return err
	})
	switch {
	case errors.Is(err, ErrDone), errors.Is(err, edgelens.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("start job %s: %w", id, err)
	}
	result, err := w.recognize(ctx, job, image)
	return w.settle(job, result, err)
}

// recognize asks the core, and waits where the synchronous callers have taken
// every place: a job has time, and its own queue is this one.
func (w *Worker) recognize(ctx context.Context, job edgelens.Job, image []byte) (*edgelens.Result, error) {
	req := edgelens.Request{
		ID: job.ID, Face: "queue", Image: image,
		Model: job.Model, TopK: job.TopK, MinScore: job.MinScore, NoCache: job.NoCache,
	}
	if _, err := hex.Decode(req.SHA256[:], []byte(job.SHA256)); err != nil {
		return nil, fmt.Errorf("read the job's digest: %w: %w", edgelens.ErrInvalid, err)
	}
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a slot: %w", edgelens.ErrCanceled)
	}
	for {
		result, err := w.recognizer.Recognize(ctx, &req)
		if !errors.Is(err, edgelens.ErrBusy) {
			return result, err
		}
		select {
		case <-time.After(5*time.Millisecond + rand.N(20*time.Millisecond)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// withRoom tries again while the disk is full. Nothing can be worked on then, so
// the place is kept and the work too: putting the job back would need the disk
// as well, and its next start would count as another attempt.
func (w *Worker) withRoom(ctx context.Context, write func() error) error {
	for {
		err := write()
		if !errors.Is(err, edgelens.ErrDiskFull) {
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

// settle writes down what became of an attempt. It does not use the attempt's
// context, which may have ended: what is known must be kept.
func (w *Worker) settle(job edgelens.Job, result *edgelens.Result, err error) error {
	ledger, fate := w.queue.ledger, fateOf(err)
	written := w.withRoom(context.Background(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		switch {
		case err == nil:
			return ledger.Finish(ctx, job.ID, result)
		case fate == failNow:
			return ledger.Fail(ctx, job.ID, edgelens.JobError{Code: edgelens.Code(err), Detail: err.Error()})
		default:
			return ledger.Release(ctx, job.ID, fate == putBack)
		}
	})
	switch {
	case err == nil:
		return w.settled(edgelens.JobSucceeded, written)
	case fate == failNow:
		return w.settled(edgelens.JobFailed, written)
	}
	w.jobs.WithLabelValues("retried").Inc()
	switch released := written; {
	case errors.Is(released, ErrDone): // canceled meanwhile
		return nil
	case released != nil:
		return fmt.Errorf("put job %s back: %w", job.ID, released)
	}
	return fmt.Errorf("job %s, attempt %d: %w", job.ID, job.Attempts, err)
}

// settled counts a terminal move. That somebody else made one first is fine; a
// ledger that could not write it gets the task again.
func (w *Worker) settled(status edgelens.JobStatus, err error) error {
	switch {
	case errors.Is(err, ErrDone):
		return nil
	case err != nil:
		return fmt.Errorf("finish the job: %w", err)
	}
	w.jobs.WithLabelValues(string(status)).Inc()
	return nil
}

// asynqLog brings asynq's few lines into the service's log.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug("asynq", "says", fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.log.Debug("asynq", "says", fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn("asynq", "says", fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Warn("asynq", "says", fmt.Sprint(args...)) }
func (l asynqLog) Fatal(args ...any) { l.log.Error("asynq", "says", fmt.Sprint(args...)) }
