package main

import (
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/runner"
	"edgelens/internal/config"
)

func newBenchTune(environ []string) *cobra.Command {
	var c runner.TuneConfig
	cmd := &cobra.Command{
		Use:   "tune --goal latency|throughput",
		Short: "Find the best settings for this board, and write them to a file",
		Long: `Starts the service with every combination of interpreters, threads and delegates that fits on
the cores, measures each briefly, and repeats with the better half until two are left.
throughput is responses a second with many connections; latency is the 95th percentile with
one. The best settings are written as an edgelens.yaml for serve.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Service, err = benchService(cmd, environ); err != nil {
				return err
			}
			return runner.Tune(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Goal, "goal", runner.GoalThroughput, "latency or throughput")
	f.StringVar(&c.Write, "write", "edgelens.yaml", "file to write the best settings to")
	f.BoolVar(&c.Force, "force", false, "overwrite the file if it exists")
	f.IntVar(&c.Rounds, "runs", 4, "runs of the best settings")
	f.DurationVar(&c.Window, "duration", 3*time.Second, "duration of each measurement")
	f.IntVar(&c.Connections, "connections", 8, "for throughput: number of connections")
	f.StringArrayVar(&c.Images, "images", nil, "an image to send, or a folder of them; repeatable (default: generated, 1280x720)")
	config.AddFlags(f, benchSettings...)
	return cmd
}
