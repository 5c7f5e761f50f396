package main

import (
	"errors"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/internal/config"
)

// workerSettings are the settings of a worker without a ledger.
var workerSettings = []string{
	"data_dir", "models_dir", "model", "log_", "recognize.", "inference.", "preprocess.", "decode.", "cache.", "redis.url", "jobs.concurrency", "telemetry.",
}

func newWorker(environ []string) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "worker --redis-url URL",
		Short: "Run jobs that other nodes accepted, until stopped",
		Long: `Runs the jobs of every node that uses the same Redis (redis.url). It needs the models of those
nodes, and shares nothing else with them: no disk, no ledger.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			if c.Jobs.RedisURL == "" {
				return errors.New("a worker needs the Redis of the nodes that accept jobs: give --redis-url redis://host:6379/0, and start those nodes with the same redis.url")
			}
			return app.Work(cmd.Context(), c, version, listen, cmd.ErrOrStderr())
		},
	}
	config.AddFlags(cmd.Flags(), workerSettings...)
	// Not the setting of the same name, which is the address of a server: both may run on one machine with one
	// configuration.
	cmd.Flags().StringVar(&listen, "status-listen", "", "host:port to serve /healthz, /readyz and /metrics on (default: none)")
	return cmd
}
