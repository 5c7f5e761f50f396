package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"edgelens/internal/config"
	"edgelens/internal/telemetry"
	"edgelens/worker"
)

// Work runs until ctx ends or a part fails, and then finishes the jobs that have begun.
func Work(ctx context.Context, c *config.Config, version, listen string, logs io.Writer) (err error) {
	stopping := &stopping{}
	defer stopping.end()
	log := telemetry.NewLogger(c.Log, logs)
	c.WarnOfRetired(log)
	addProcs(c.Inference.InterpretersOrCores())
	metrics := telemetry.NewRegistry(version)
	core, err := NewCore(c, log, metrics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.Close(stopping.limit())) }()
	readiness := telemetry.NewReadiness()
	readiness.NotReady("model", "loading")
	readiness.NotReady("redis", "not checked yet")
	group, ctx := errgroup.WithContext(ctx)
	if listen != "" {
		listener, err := net.Listen("tcp", listen)
		if err != nil {
			return fmt.Errorf("serve the worker's status on %s: %w; choose another --status-listen", listen, err)
		}
		log.Info("serving status", "address", "http://"+listener.Addr().String())
		serveStatus(ctx, group, listener, readiness, metrics)
	}
	group.Go(func() error {
		start := time.Now()
		if err := core.WarmUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // stopped while loading
			}
			return fmt.Errorf("the default model cannot serve: %w", err)
		}
		w, err := worker.NewRemoteWorker(c.Jobs, core.Recognizer, log, metrics)
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
		log.Info("ready", "version", version, "model", core.Registry.Default(), "jobs_at_a_time", c.Jobs.Concurrency, "seconds", time.Since(start).Seconds())
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

// serveStatus serves the endpoints for orchestration and metrics, until ctx ends.
func serveStatus(ctx context.Context, group *errgroup.Group, listener net.Listener, readiness *telemetry.Readiness, metrics prometheus.Gatherer) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		waiting := readiness.Waiting()
		if len(waiting) > 0 {
			http.Error(w, strings.Join(waiting, "\n"), http.StatusServiceUnavailable)
			return
		}
		for _, c := range readiness.Conditions() {
			_, _ = fmt.Fprintf(w, "%s: %s: %s\n", c.Severity, c.Name, c.Reason) // an error means the client disconnected
		}
		_, _ = io.WriteString(w, "ok\n") // the same
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the worker's status: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return CloseWithin(responseTimeout, server.Shutdown)
	})
}
