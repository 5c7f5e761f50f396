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
		Long: `Starts the service with interpreters, threads and delegates in every way that fits on the
cores, loads each for a moment, and measures the better half again until two are left.
throughput is answers a second with many connections; latency is the 95th percentile with
one. The best settings are written as an edgelens.yaml, which serve reads.`,
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
	f.BoolVar(&c.Force, "force", false, "write over that file where it is there")
	f.IntVar(&c.Rounds, "runs", 4, "how often the best are measured")
	f.DurationVar(&c.Window, "duration", 3*time.Second, "how long each measurement lasts")
	f.IntVar(&c.Connections, "connections", 8, "for throughput: how many connections")
	f.StringArrayVar(&c.Images, "images", nil, "an image to send, or a folder of them; may be given again (default: made up, 1280x720)")
	config.AddFlags(f, benchSettings...)
	return cmd
}
