package main

import (
	"errors"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/report"
	"edgelens/benchmarks/runner"
	"edgelens/benchmarks/suite"
	"edgelens/inference"
	"edgelens/internal/config"
)

func newBench(environ []string) *cobra.Command {
	c := runner.DefaultConfig()
	var key keyFlag
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "bench [model|pipeline|http|mqtt|all]",
		Short: "Measure the performance on this board, with confidence intervals",
		Long: `Measures, prints a table, and stores raw records, report.md and plots (PNG and SVG) in a
new folder bench-YYYYMMDD-HHMMSS:

  model     load, first and steady inference, memory; by runtime, delegate, threads,
            interpreters
  pipeline  each stage of recognition, and the ceiling: a bare loop on every core
  http      a service under load: closed loop (throughput) and open loop (latency)
  mqtt      simulated terminals, from a record to its event

The service is started on a free port with a temporary data folder, unless --target is the URL
of a running one. Flags of serve, such as --inference-threads, configure that service.`,
		Example: `  edgelens bench
  edgelens bench http --images photos/ --connections 1,8 --runs 5
  edgelens bench report bench-20240501-120000
  edgelens bench compare bench-20240501-120000 bench-20240502-120000`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: append([]string{"all"}, runner.Suites...),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c.Suites = runner.Suites
			if len(args) == 1 && args[0] != "all" {
				c.Suites = args
			}
			if c.Key, err = key.read(environ); err != nil {
				return err
			}
			return bench(cmd, environ, c, nil, asJSON)
		},
	}
	addBenchFlags(cmd, &c)
	addSoakFlag(cmd, &c, 0)
	asJSON.add(cmd, "")
	cores, f := runtime.NumCPU(), cmd.Flags()
	f.StringVar(&c.Target, "target", "", "URL of a running service to measure (default: a new one is started)")
	key.add(f)
	f.BoolVar(&c.HTTP.Together, "together", false, "http: one case with all images in turn")
	f.StringSliceVar(&c.HTTP.Kinds, "kinds", suite.Kinds, "http, closed loop: sync, cached, async, mixed")
	f.IntSliceVar(&c.HTTP.Connections, "connections", []int{8}, "http, closed loop: number of connections")
	f.Float64SliceVar(&c.HTTP.Loads, "load", []float64{0.7}, "http, open loop: rates as shares of the peak, which is sync with the most connections")
	f.Float64SliceVar(&c.HTTP.Rates, "rate", nil, "http, open loop: rates in requests a second")
	f.IntVar(&c.HTTP.OpenConnections, "open-connections", c.HTTP.OpenConnections, "http, open loop: maximum number of concurrent requests")
	f.StringSliceVar(&c.Runtimes, "model-runtimes", []string{inference.RuntimeAuto}, "model: runtimes: tflite, litert, or auto")
	f.StringSliceVar(&c.Delegates, "model-delegates", []string{"auto", "none"}, "model: delegates")
	f.IntSliceVar(&c.Threads, "model-threads", runner.Distinct(1, cores), "model: threads of an interpreter")
	f.IntSliceVar(&c.Interpreters, "model-interpreters", runner.Distinct(1, cores), "model: concurrent interpreters; their threads together are limited to the cores")
	f.IntSliceVar(&c.Terminals, "terminals", []int{10}, "mqtt: number of terminals")
	f.Float64Var(&c.TerminalRate, "terminal-rate", 10, "mqtt: records a second, of all terminals together")
	cmd.AddCommand(newBenchReport(), newBenchCompare(), newBenchTargets(environ), newBenchPeers(environ), newBenchTune(environ), newBenchAccuracy(environ), newBenchHistory(environ), newBenchModelChild())
	return cmd
}

// bench measures and prints the report, also of an interrupted run.
func bench(cmd *cobra.Command, environ []string, c runner.Config, targets func(*report.Summary) []report.Target, asJSON jsonFlag) error {
	dir, err := runBench(cmd, environ, c)
	if dir == "" {
		return err
	}
	return errors.Join(err, runner.Print(dir, cmd.OutOrStdout(), cmd.ErrOrStderr(), targets, asJSON.set))
}

// runBench measures, and returns the folder of the records.
func runBench(cmd *cobra.Command, environ []string, c runner.Config) (dir string, err error) {
	if c.Service, err = benchService(cmd, environ); err != nil {
		return "", err
	}
	c.Command = commandLine(cmd)
	return runner.Run(cmd.Context(), c, cmd.ErrOrStderr())
}

// benchService returns the configuration of the service by the flags and environ.
func benchService(cmd *cobra.Command, environ []string) (runner.Service, error) {
	settings, err := loadSettings(cmd, environ)
	return runner.Service{Settings: settings, Flags: changedFlags(cmd, isBenchSetting), Version: version}, err
}

// addBenchFlags adds the flags of all commands that measure.
func addBenchFlags(cmd *cobra.Command, c *runner.Config) {
	f := cmd.Flags()
	f.StringVar(&c.Out, "out", c.Out, "parent folder for the folder of this run")
	f.IntVar(&c.Plan.Rounds, "runs", c.Plan.Rounds, "runs of each case; fewer than 4 cannot be compared")
	f.DurationVar(&c.Plan.Window, "duration", c.Plan.Window, "duration of each run of a case")
	f.DurationVar(&c.Plan.WarmUp, "warm-up", c.Plan.WarmUp, "duration of the warm-up of each case")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "random seed")
	f.StringArrayVar(&c.Images, "images", nil, "an image to send, or a folder of them; repeatable (default: generated, 1280x720 and 1920x1080)")
	f.StringVar(&c.HTTP.Arrivals, "arrivals", c.HTTP.Arrivals, "http, open loop: constant or poisson")
	config.AddFlags(f, benchSettings...)
}

func addSoakFlag(cmd *cobra.Command, c *runner.Config, length time.Duration) {
	cmd.Flags().DurationVar(&c.Soak, "soak", length, "http: duration of a final full load, to measure memory; 0: none")
}

func addPeerFlags(cmd *cobra.Command, c *runner.Config, peer string) {
	f := cmd.Flags()
	f.StringVar(&c.Peer, "peer", peer, "folder of the other service, with an executable named serve that starts it")
	f.StringVar(&c.Published, "peer-model", c.Published, "model of the as-published case, without a delegate")
}
