package main

import (
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/runner"
	"edgelens/internal/config"
)

func newBenchTune(environ []string) *cobra.Command {
	var c runner.TuneConfig
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "tune --goal latency|throughput",
		Short: "Find the best settings for this board, and write them to a file",
		Long: `Measures the default model on each runtime and delegate, and an int8 and a float32 variant of its
file, with one thread; then the service with what was fastest, for each number of interpreters
and threads that fits on the cores. Each is measured briefly, and the better half again until
two are left.

Beside each is how far its answers agree with those of TensorFlow Lite's own kernels, on the
images or on generated ones. A candidate whose answers disagree grossly is never chosen.

throughput is responses a second with many connections; latency is the 95th percentile with
one. The best settings are written as an edgelens.yaml for serve, and stored in the data folder:
serve logs a line when it starts with others.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Service, err = benchService(cmd, environ); err != nil {
				return err
			}
			c.JSON = asJSON.set
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
	f.StringArrayVar(&c.Images, "images", nil, "an image to send, or a folder of them; repeatable (default: generated)")
	asJSON.add(cmd, "")
	config.AddFlags(f, benchSettings...)
	return cmd
}
