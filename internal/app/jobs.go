package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/datadir"
	"edgelens/internal/ledger"
	"edgelens/internal/supervise"
	"edgelens/internal/telemetry"
	"edgelens/worker"
)

// jobs is the queued path: the ledger, the queue, the worker, and the private Redis where none is configured.
type jobs struct {
	// node is this node's permanent name.
	node   string
	ledger *ledger.Ledger
	queue  *worker.Queue
	worker *worker.Worker

	redis *supervise.Redis // nil where one is configured
	log   *slog.Logger

	stopWatching context.CancelFunc
	watching     sync.WaitGroup
}

// newJobs opens the ledger, starts the private Redis if needed, and connects queue and worker to them. No jobs are
// dequeued yet.
func newJobs(ctx context.Context, c *config.Config, core *Core, log *slog.Logger, metrics prometheus.Registerer) (*jobs, error) {
	node, err := nodeName(c.DataDir)
	if err != nil {
		return nil, err
	}
	if err := datadir.Tighten(c.DataDir, "node", "requantized"); err != nil {
		log.Warn("restricting the data folder failed: other users may be able to read its files", "error", err)
	}
	truth, err := ledger.Open(ctx, c.DataDir, c.Ledger, log)
	if err != nil {
		return nil, err
	}
	j := &jobs{node: node, ledger: truth, log: log}
	settings := c.Jobs
	if settings.RedisURL == "" {
		if j.redis, err = supervise.StartRedis(ctx, filepath.Join(c.DataDir, "redis"), c.Redis, log); err != nil {
			return nil, errors.Join(err, truth.Close())
		}
		settings.RedisURL = j.redis.URL()
	}
	if j.queue, err = worker.NewQueue(settings, node, jobStore{truth}, log); err != nil {
		return nil, errors.Join(err, j.close(ctx))
	}
	j.worker = worker.NewWorker(j.queue, core.Recognizer, log, metrics)
	watch, stop := context.WithCancel(context.Background())
	j.stopWatching = stop
	if j.redis != nil {
		j.watching.Go(func() { j.requeueAfterRestarts(watch) })
	}
	telemetry.RegisterQueueDepth(metrics, j.depths)
	telemetry.RegisterLedger(metrics, func() telemetry.LedgerStats { return ledgerStats(truth) })
	return j, nil
}

// depths counts the jobs by queue and state for a scrape.
func (j *jobs) depths() map[telemetry.QueueState]int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	stats, err := j.ledger.Stats(ctx)
	if err != nil {
		j.log.Warn("counting jobs failed", "error", err)
		return nil
	}
	depths := map[telemetry.QueueState]int{} // with explicit zeros, for alerts
	for _, queue := range []string{edgelens.QueueInteractive, edgelens.QueueBulk} {
		for _, status := range []edgelens.JobStatus{edgelens.JobQueued, edgelens.JobRunning} {
			depths[telemetry.QueueState{Queue: queue, State: string(status)}] = 0
		}
	}
	for of, n := range stats.Jobs {
		if !of.Status.Terminal() {
			depths[telemetry.QueueState{Queue: of.Queue, State: string(of.Status)}] = int(n)
		}
	}
	return depths
}

// requeueAfterRestarts recreates tasks that the private Redis may have lost when it ended: its file can be a second
// behind.
func (j *jobs) requeueAfterRestarts(ctx context.Context) {
	seen := 0
	for {
		changed := j.redis.Changed()
		if n := j.redis.Restarts(); n != seen && j.redis.Up() {
			seen = n
			j.queue.Requeue()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// close ends the parts in the order of their dependencies.
func (j *jobs) close(ctx context.Context) error {
	var errs []error
	if j.stopWatching != nil {
		j.stopWatching()
		j.watching.Wait()
	}
	if j.queue != nil {
		errs = append(errs, j.queue.Close())
	}
	errs = append(errs, j.ledger.Close())
	if j.redis != nil {
		errs = append(errs, j.redis.Stop(ctx))
	}
	return errors.Join(errs...)
}

// jobStore adapts the ledger to the port of package worker.
type jobStore struct{ *ledger.Ledger }

func (d jobStore) Start(ctx context.Context, id string) (edgelens.Job, []byte, error) {
	job, image, err := d.Ledger.Start(ctx, id)
	return job, image, done(err)
}

func (d jobStore) Release(ctx context.Context, id string, refund bool) error {
	return done(d.Ledger.Release(ctx, id, refund))
}

func (d jobStore) Finish(ctx context.Context, id string, result *edgelens.Result) error {
	return done(d.Ledger.Finish(ctx, id, result))
}

func (d jobStore) Fail(ctx context.Context, id string, why edgelens.JobError) error {
	return done(d.Ledger.Fail(ctx, id, why))
}

func (d jobStore) Cancel(ctx context.Context, id string) (edgelens.Job, error) {
	job, err := d.Ledger.Cancel(ctx, id)
	return job, done(err)
}

func (d jobStore) Unfinished(ctx context.Context, yield func(id, queue string) error) error {
	for job, err := range d.Ledger.Unfinished(ctx) {
		if err != nil {
			return err
		}
		if err := yield(job.ID, job.Queue); err != nil {
			return err
		}
	}
	return nil
}

// done wraps the error for a terminal job as a worker.ErrDone, with the same text.
func done(err error) error {
	if errors.Is(err, ledger.ErrTerminal) {
		return jobDone{err}
	}
	return err
}

type jobDone struct{ error }

// Is makes errors.Is(err, worker.ErrDone) true.
func (jobDone) Is(target error) bool { return target == worker.ErrDone }

// Unwrap returns the ledger's error.
func (e jobDone) Unwrap() error { return e.error }

// counter adapts ledger and queue to the port of package api.
type counter struct {
	*worker.Queue
	ledger *ledger.Ledger
}

func (c counter) Job(ctx context.Context, id string) (edgelens.Job, error) {
	return c.ledger.Job(ctx, id)
}

func (c counter) Wait(ctx context.Context, id string) (edgelens.Job, error) {
	return c.ledger.Wait(ctx, id)
}

func (c counter) Jobs(ctx context.Context, filter edgelens.JobFilter) ([]edgelens.Job, string, error) {
	return c.ledger.Jobs(ctx, filter)
}

// nodeName returns the permanent name of this node, which is stored in the data folder.
func nodeName(dir string) (string, error) {
	if err := datadir.Make(dir); err != nil {
		return "", fmt.Errorf("use the data folder: %w", err)
	}
	path := filepath.Join(dir, "node")
	if b, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b)), nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read this node's name: %w", datadir.Explain(path, err))
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	name := hex.EncodeToString(random[:])
	if err := os.WriteFile(path, []byte(name+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep this node's name: %w", datadir.Explain(path, err))
	}
	return name, nil
}
