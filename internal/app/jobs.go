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

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/identity/envelope"
	"edgelens/identity/signing"
	"edgelens/internal/config"
	"edgelens/internal/datadir"
	"edgelens/internal/ledger"
	"edgelens/internal/notify/event"
	"edgelens/internal/notify/webhook"
	"edgelens/internal/supervise"
	"edgelens/learn/similarity"
	"edgelens/terminal"
	"edgelens/worker"
)

// jobs is the queued path: the ledger, the queue, the worker, and the private Redis where none is configured.
type jobs struct {
	// node is this node's permanent name.
	node   string
	ledger *ledger.Ledger
	// signer has the keys of the node.
	signer *signing.Node
	// deviceKeys are those by which devices seal their messages.
	deviceKeys *envelope.Ring
	queue      *worker.Queue
	worker     *worker.Worker
	// similarity is nil where images are not compared.
	similarity *similarity.Service
	// tracer is that of the core.
	tracer edgelens.Tracer

	redis *supervise.Redis // nil where one is configured

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
	signer, err := openSigner(c, log, metrics)
	if err != nil {
		return nil, err
	}
	parts := ledger.Parts{Log: log, Registerer: metrics, Sinks: []string{terminal.EventsSink, webhook.Sink}, Node: node}
	if c.Signing.SignEvents {
		parts.Chains = &ledger.ChainParts{Digest: event.Digest, Signer: signer}
	}
	truth, redis, err := openStores(ctx, c, parts)
	if err != nil {
		return nil, err
	}
	j := &jobs{node: node, ledger: truth, redis: redis, signer: signer, tracer: core.tracer}
	if j.deviceKeys, err = openRing(ctx, truth); err != nil {
		return nil, errors.Join(err, j.close(ctx))
	}
	settings := c.Jobs
	if redis != nil {
		settings.RedisURL, settings.Private = redis.URL(), true
	}
	if j.queue, err = worker.NewQueue(settings, node, queueStores{truth.Jobs, truth.Records}, log); err != nil {
		return nil, errors.Join(err, j.close(ctx))
	}
	j.similarity = newSimilarity(c, core, truth, log, metrics)
	recognizer := core.Recognizer
	if j.similarity != nil && !c.Ledger.KeepImages {
		recognizer = j.similarity.Watch(recognizer)
	}
	j.worker = worker.NewWorker(j.queue, recognizer, core.tracer, log, metrics)
	watch, stop := context.WithCancel(context.Background())
	j.stopWatching = stop
	if j.redis != nil {
		j.watching.Go(func() { j.requeueAfterRestarts(watch) })
	}
	return j, nil
}

// openStores opens the ledger, and starts the private Redis, where none is configured, at the same time: both wait for the disk.
// With an error, neither is left.
func openStores(ctx context.Context, c *config.Config, parts ledger.Parts) (*ledger.Ledger, *supervise.Redis, error) {
	var redis *supervise.Redis
	var redisErr error
	var starting sync.WaitGroup
	if c.Jobs.RedisURL == "" {
		starting.Go(func() {
			redis, redisErr = supervise.StartRedis(ctx, filepath.Join(c.DataDir, "redis"), c.Redis, parts.Log)
		})
	}
	truth, err := ledger.Open(ctx, c.DataDir, c.Ledger, parts)
	starting.Wait()
	switch {
	case err != nil && redis != nil:
		return nil, nil, errors.Join(err, redis.Stop(ctx))
	case err != nil:
		return nil, nil, err // it is Redis' reason, too
	case redisErr != nil:
		return nil, nil, errors.Join(redisErr, truth.Close())
	}
	return truth, redis, nil
}

// queueStores are the stores that the queue needs: jobs, and records, whose images become jobs.
type queueStores struct {
	*ledger.Jobs
	*ledger.Records
}

// jobsOfAllNodes looks jobs up at all nodes that share a Redis, as their clients may reach any of them, and lists those of
// this one.
type jobsOfAllNodes struct {
	own   *ledger.Jobs
	queue *worker.Queue
}

// Jobs implements api.Jobs.
func (j jobsOfAllNodes) Jobs(ctx context.Context, filter edgelens.JobFilter) (page []edgelens.Job, next string, err error) {
	return j.own.Jobs(ctx, filter)
}

// Job implements api.Jobs.
func (j jobsOfAllNodes) Job(ctx context.Context, id string) (edgelens.Job, error) {
	return j.queue.Job(ctx, id)
}

// Wait implements api.Jobs.
func (j jobsOfAllNodes) Wait(ctx context.Context, id string) (edgelens.Job, error) {
	return j.queue.Wait(ctx, id)
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
	if j.similarity != nil {
		j.similarity.Close()
	}
	errs = append(errs, j.ledger.Close())
	if j.redis != nil {
		errs = append(errs, j.redis.Stop(ctx))
	}
	return errors.Join(errs...)
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
