package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"edgelens/internal/board"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
	"edgelens/worker"
)

// Work runs until ctx ends or a part fails, and then finishes the jobs that have begun.
func Work(ctx context.Context, c *config.Config, version, listen string, logs io.Writer) (err error) {
	stopping := &stopping{}
	defer stopping.end()
	metrics := telemetry.NewRegistry(version)
	log, endLog := openLog(c.Log, logs, metrics)
	defer endLog()
	c.WarnOfRetired(log)
	addProcs(c.Inference.InterpretersOrCores())
	tracer, endTraces, err := openTraces(c, version, "", log, metrics)
	if err != nil {
		return err
	}
	defer func() { endTraces(stopping.limit()) }()
	set := NewRuntimes(c)
	core, err := newCore(c, tracer, log, metrics, set, set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.Close(stopping.limit())) }()
	readiness := telemetry.NewReadiness()
	readiness.NotReady("model", "loading")
	readiness.NotReady("redis", "not checked yet")
	group, ctx := errgroup.WithContext(ctx)
	if listen != "" {
		if err := metrics.Register(machineMetrics{&machine{prober: board.Prober{Root: "/"}}}); err != nil {
			return err
		}
		address, err := serveStatus(ctx, group, listen, "--status-listen", readiness, metrics)
		if err != nil {
			return err
		}
		log.Info("serving status", "address", "http://"+address.String())
	}
	group.Go(func() error {
		start := time.Now()
		if err := core.WarmUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // stopped while loading
			}
			return fmt.Errorf("the default model cannot serve: %w", err)
		}
		w, err := worker.NewRemoteWorker(c.Jobs, core.Recognizer, tracer, log, metrics)
		if err != nil {
			return err
		}
		if err := w.Start(); err != nil {
			return err
		}
		group.Go(func() error {
			w.WatchRedis(ctx, func(status worker.RedisStatus) {
				if status.Err != nil {
					readiness.NotReady("redis", status.Err.Error())
					return
				}
				readiness.Ready("redis")
			})
			return nil
		})
		readiness.Ready("model")
		log.Info("ready", "version", version, "model", core.Registry.Default(), "jobs_at_a_time", c.Jobs.Concurrency, "ms", time.Since(start))
		<-ctx.Done()
		stopping.begin()
		readiness.NotReady("service", "stopping")
		log.Info("stopping", "timeout", StopTimeout)
		core.Stop()
		w.Shutdown()
		return nil
	})
	err = group.Wait()
	log.Info("stopped", "clean", err == nil)
	return err
}
