package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"edgelens/api"
	"edgelens/config"
	"edgelens/telemetry"
)

// stopTimeout is how long a stop may take to finish what was admitted.
const stopTimeout = 10 * time.Second

func newServe(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer over HTTP until told to stop",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c, cmd.ErrOrStderr())
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}

// serve runs until ctx ends or a part fails, and then stops in order: not
// ready, stop accepting, finish what was admitted, free.
func serve(ctx context.Context, c *config.Config, logs io.Writer) error {
	log := telemetry.NewLogger(c.Log, logs)
	metrics := telemetry.NewRegistry(version)
	core, err := newCore(c, log, metrics)
	if err != nil {
		return err
	}
	readiness := telemetry.NewReadiness()
	readiness.NotReady("model", "loading")
	server, err := newServer(c, core, readiness, log, metrics)
	if err != nil {
		return errors.Join(err, closeCore(core))
	}
	listener, err := server.Listen()
	if err != nil {
		return errors.Join(err, closeCore(core))
	}
	return errors.Join(run(ctx, server, listener, core, readiness, log), closeCore(core))
}

func newServer(c *config.Config, core *core, readiness *telemetry.Readiness, log *slog.Logger, metrics *prometheus.Registry) (*api.Server, error) {
	return api.New(c.HTTP, api.Parts{
		Recognizer: core.recognizer, Models: core.loader, Readiness: readiness,
		Metrics:    promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}),
		Registerer: metrics, Log: log,
	})
}

// run serves first and loads the default model then, so that health checks
// are answered from the start.
func run(ctx context.Context, server *api.Server, listener net.Listener, core *core, readiness *telemetry.Readiness, log *slog.Logger) error {
	log.Info("edgelens started", "version", version, "address", "http://"+listener.Addr().String(), "docs", "http://"+listener.Addr().String()+"/docs")
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Serve(listener) })
	group.Go(func() error {
		if err := core.warmUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // told to stop while loading
			}
			return fmt.Errorf("the default model cannot serve: %w", err)
		}
		readiness.Ready("model")
		log.Info("ready", "model", core.registry.Default(), "seconds", time.Since(start).Seconds())
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		readiness.NotReady("service", "stopping")
		log.Info("stopping", "timeout", stopTimeout)
		stop, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return server.Shutdown(stop)
	})
	err := group.Wait()
	log.Info("stopped", "clean", err == nil)
	return err
}

func closeCore(core *core) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return core.close(ctx)
}
