package main

import (
	"errors"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/report"
	"edgelens/benchmarks/runner"
	"edgelens/benchmarks/suite"
	"edgelens/internal/config"
)

func newBench(environ []string) *cobra.Command {
	c := runner.DefaultConfig()
	cmd := &cobra.Command{
		Use:   "bench [model|pipeline|http|mqtt|all]",
		Short: "Measure how fast it is on this board, and say how sure that is",
		Long: `Measures, prints a table, and keeps raw records, report.md and plots (PNG and SVG) in a
folder of its own, bench-YYYYMMDD-HHMMSS:

  model     load, first and steady inference, memory; by delegate, threads, interpreters
  pipeline  each stage of an image's way, and the ceiling: a bare loop on every core
  http      a service under load: closed loop (throughput) and open loop (latency)
  mqtt      simulated terminals, from a record to its event

The service is started on a free port with a data folder of its own, unless --target names
one. Flags that serve has, such as --inference-threads, are settings of that service.`,
		Example: `  edgelens bench
  edgelens bench http --images photos/ --connections 1,8 --runs 5
  edgelens bench report bench-20240501-120000
  edgelens bench compare bench-20240501-120000 bench-20240502-120000`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: append([]string{"all"}, runner.Suites...),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Suites = runner.Suites
			if len(args) == 1 && args[0] != "all" {
				c.Suites = args
			}
			return bench(cmd, environ, c, nil)
		},
	}
	addBenchFlags(cmd, &c)
	addSoakFlag(cmd, &c, 0)
	cores, f := runtime.NumCPU(), cmd.Flags()
	f.StringVar(&c.Target, "target", "", "URL of a running service to measure (default: one of our own is started)")
	f.BoolVar(&c.HTTP.Together, "together", false, "http: one case with all images in turn")
	f.StringSliceVar(&c.HTTP.Kinds, "kinds", suite.Kinds, "http, closed loop: sync, cached, async, mixed")
	f.IntSliceVar(&c.HTTP.Connections, "connections", []int{8}, "http, closed loop: how many connections")
	f.Float64SliceVar(&c.HTTP.Loads, "load", []float64{0.7}, "http, open loop: rates as shares of the peak, which is sync with the most connections")
	f.Float64SliceVar(&c.HTTP.Rates, "rate", nil, "http, open loop: rates in requests a second")
	f.IntVar(&c.HTTP.OpenConnections, "open-connections", c.HTTP.OpenConnections, "http, open loop: how many requests may be on their way")
	f.StringSliceVar(&c.Delegates, "model-delegates", []string{"auto", "none"}, "model: delegates")
	f.IntSliceVar(&c.Threads, "model-threads", runner.Distinct(1, cores), "model: threads of an interpreter")
	f.IntSliceVar(&c.Interpreters, "model-interpreters", runner.Distinct(1, cores), "model: interpreters that run at a time, with their threads no more than cores")
	f.IntSliceVar(&c.Terminals, "terminals", []int{10}, "mqtt: how many terminals")
	f.Float64Var(&c.TerminalRate, "terminal-rate", 10, "mqtt: records a second of all together")
	cmd.AddCommand(newBenchReport(), newBenchCompare(), newBenchTargets(environ), newBenchPeers(environ), newBenchTune(environ), newBenchModelChild())
	return cmd
}

// bench measures and prints the report, also of what was interrupted.
func bench(cmd *cobra.Command, environ []string, c runner.Config, targets func(*report.Summary) []report.Target) error {
	dir, err := runBench(cmd, environ, c)
	if dir == "" {
		return err
	}
	return errors.Join(err, runner.Print(dir, cmd.OutOrStdout(), cmd.ErrOrStderr(), targets))
}

// runBench measures, and returns the folder of the records.
func runBench(cmd *cobra.Command, environ []string, c runner.Config) (dir string, err error) {
	if c.Service, err = benchService(cmd, environ); err != nil {
		return "", err
	}
	c.Command = commandLine(cmd)
	return runner.Run(cmd.Context(), c, cmd.ErrOrStderr())
}

// benchService returns how the service is started by the flags and environ.
func benchService(cmd *cobra.Command, environ []string) (runner.Service, error) {
	settings, err := config.Load(cmd.Flags(), environ)
	return runner.Service{Settings: settings, Flags: changedFlags(cmd, isBenchSetting), Version: version}, err
}

// addBenchFlags adds the flags that all commands which measure have.
func addBenchFlags(cmd *cobra.Command, c *runner.Config) {
	f := cmd.Flags()
	f.StringVar(&c.Out, "out", c.Out, "folder to make the folder of this run in")
	f.IntVar(&c.Plan.Rounds, "runs", c.Plan.Rounds, "how often each case is measured; fewer than 4 cannot be compared")
	f.DurationVar(&c.Plan.Window, "duration", c.Plan.Window, "how long each run of a case lasts")
	f.DurationVar(&c.Plan.WarmUp, "warm-up", c.Plan.WarmUp, "how long each case runs before that")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "of all that is by chance")
	f.StringArrayVar(&c.Images, "images", nil, "an image to send, or a folder of them; may be given again (default: made up, 1280x720 and 1920x1080)")
	f.StringVar(&c.HTTP.Arrivals, "arrivals", c.HTTP.Arrivals, "http, open loop: constant or poisson")
	config.AddFlags(f, benchSettings...)
}

func addSoakFlag(cmd *cobra.Command, c *runner.Config, length time.Duration) {
	cmd.Flags().DurationVar(&c.Soak, "soak", length, "http: full load at the end for so long, without a pause, to see what memory it takes; 0: none")
}

func addPeerFlags(cmd *cobra.Command, c *runner.Config, peer string) {
	f := cmd.Flags()
	f.StringVar(&c.Peer, "peer", peer, "folder with another service, which an executable named serve starts")
	f.StringVar(&c.Published, "peer-model", c.Published, "model that the other service runs as it was published, without a delegate")
}
