package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/suite"
	"edgelens/internal/config"
)

// suites are what `bench` can measure, in the order in which it does.
var suites = []string{"model", "pipeline", "http", "mqtt"}

// benchFlags are what is measured, and how.
type benchFlags struct {
	out      string
	plan     suite.Plan
	seed     uint64
	target   string
	images   []string
	together bool

	kinds           []string
	connections     []int
	loads, rates    []float64
	arrivals        string
	openConnections int
	soak            time.Duration

	delegates             []string
	threads, interpreters []int

	terminals    []int
	terminalRate float64
	noStages     bool

	// peer is the folder of another service, published the model that it runs as
	// it was published.
	peer, published string
}

// benchSettings are the settings of the service that flags of bench can set.
var benchSettings = []string{"data_dir", "model", "recognize.", "inference.", "preprocess.", "cache.", "jobs.", "http.max"}

func newBench(environ []string) *cobra.Command {
	flags := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "bench [model|pipeline|http|mqtt|all]",
		Short: "Measure how fast it is on this board, and say how sure that is",
		Long: `Measures, prints a table, and keeps raw records, report.md and plots (PNG and SVG) in a
folder of its own, bench-YYYYMMDD-HHMMSS:

  model     load, first and steady inference, memory; by delegate, threads, interpreters
  pipeline  each stage of a picture's way, and the ceiling: a bare loop on every core
  http      a service under load: closed loop (throughput) and open loop (latency)
  mqtt      simulated terminals, from a record to its event

The service is started on a free port with a data folder of its own, unless --target names
one. Flags that serve has, such as --inference-threads, are settings of that service.`,
		Example: `  edgelens bench
  edgelens bench http --images photos/ --connections 1,8 --runs 5
  edgelens bench report bench-20240501-120000
  edgelens bench compare bench-20240501-120000 bench-20240502-120000`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: append([]string{"all"}, suites...),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			which := suites
			if len(args) == 1 && args[0] != "all" {
				which = args
			}
			return bench(cmd, c, flags, which, nil)
		},
	}
	flags.add(cmd)
	config.AddFlags(cmd.Flags(), benchSettings...)
	cmd.AddCommand(newBenchReport(), newBenchCompare(), newBenchTargets(environ), newBenchPeers(environ), newBenchTune(environ), newBenchChild(environ))
	return cmd
}

// add registers the flags of what is measured.
func (b *benchFlags) add(cmd *cobra.Command) {
	cores := runtime.NumCPU()
	f := cmd.Flags()
	b.addCommon(cmd)
	f.StringVar(&b.target, "target", "", "URL of a running service to measure (default: one of our own is started)")
	f.BoolVar(&b.together, "together", false, "http: one case with all pictures in turn")
	f.StringSliceVar(&b.kinds, "kinds", suite.Kinds, "http, closed loop: sync, cached, async, mixed")
	f.IntSliceVar(&b.connections, "connections", []int{8}, "http, closed loop: how many connections")
	f.Float64SliceVar(&b.loads, "load", []float64{0.7}, "http, open loop: rates as shares of the peak, which is sync with the most connections")
	f.Float64SliceVar(&b.rates, "rate", nil, "http, open loop: rates in requests a second")
	b.addSoak(cmd, 0)
	f.IntVar(&b.openConnections, "open-connections", 64, "http, open loop: how many requests may be on their way")
	f.StringSliceVar(&b.delegates, "model-delegates", []string{"auto", "none"}, "model: delegates")
	f.IntSliceVar(&b.threads, "model-threads", distinct(1, cores), "model: threads of an interpreter")
	f.IntSliceVar(&b.interpreters, "model-interpreters", distinct(1, cores), "model: interpreters that run at a time, with their threads no more than cores")
	f.IntSliceVar(&b.terminals, "terminals", []int{10}, "mqtt: how many terminals")
	f.Float64Var(&b.terminalRate, "terminal-rate", 10, "mqtt: records a second of all together")
}

// addCommon registers the flags that targets has, too.
func (b *benchFlags) addCommon(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&b.out, "out", ".", "folder to make the folder of this run in")
	f.IntVar(&b.plan.Rounds, "runs", 5, "how often each case is measured; fewer than 4 cannot be compared")
	f.DurationVar(&b.plan.Window, "duration", 5*time.Second, "how long each run of a case lasts")
	f.DurationVar(&b.plan.WarmUp, "warm-up", time.Second, "how long each case runs before that")
	f.Uint64Var(&b.seed, "seed", 1, "of all that is by chance")
	f.StringArrayVar(&b.images, "images", nil, "a picture to send, or a folder of them; may be given again (default: made up, 1280x720 and 1920x1080)")
	f.StringVar(&b.arrivals, "arrivals", load.Constant, "http, open loop: constant or poisson")
}

func (b *benchFlags) addSoak(cmd *cobra.Command, length time.Duration) {
	cmd.Flags().DurationVar(&b.soak, "soak", length, "http: full load at the end for so long, without a pause, to see what memory it takes; 0: none")
}

// addPeer registers the flags of what is measured beside ours.
func (b *benchFlags) addPeer(cmd *cobra.Command, peer string) {
	f := cmd.Flags()
	f.StringVar(&b.peer, "peer", peer, "folder with another service, which an executable named serve starts")
	f.StringVar(&b.published, "peer-model", "mobilenet_v2_1.0_224_uint8", "model that the other service runs as it was published, without a delegate")
}

func distinct(numbers ...int) []int {
	var out []int
	seen := map[int]bool{}
	for _, n := range numbers {
		if !seen[n] {
			out = append(out, n)
			seen[n] = true
		}
	}
	return out
}

// check reports every fault of the flags.
func (b *benchFlags) check() error {
	var faults []error
	if b.plan.Rounds < 1 || b.plan.Rounds > 1000 {
		faults = append(faults, fmt.Errorf("--runs must be 1 to 1000, not %d", b.plan.Rounds))
	}
	if b.plan.Window < 10*time.Millisecond || b.plan.WarmUp < 10*time.Millisecond {
		faults = append(faults, errors.New("--duration and --warm-up must be at least 10ms"))
	}
	if b.soak != 0 && b.soak < time.Second {
		faults = append(faults, fmt.Errorf("--soak must be 0 or at least 1s, not %v", b.soak))
	}
	for _, kind := range b.kinds {
		if kind != suite.KindSync && kind != suite.KindCached && kind != suite.KindAsync && kind != suite.KindMixed {
			faults = append(faults, fmt.Errorf("--kinds must be of sync, cached, async and mixed, not %q", kind))
		}
	}
	for _, list := range []struct {
		flag    string
		numbers []int
	}{{"connections", b.connections}, {"model-threads", b.threads}, {"model-interpreters", b.interpreters}, {"terminals", b.terminals}, {"open-connections", []int{max(b.openConnections, 1)}}} {
		for _, n := range list.numbers {
			if n < 1 || n > 4096 {
				faults = append(faults, fmt.Errorf("--%s must be 1 to 4096, not %d", list.flag, n))
			}
		}
	}
	for _, list := range [][]float64{b.loads, b.rates, {max(b.terminalRate, 0)}} {
		for _, v := range list {
			if !(v >= 0 && v <= 1e6) {
				faults = append(faults, fmt.Errorf("--load, --rate and --terminal-rate must be 0 to 1000000, not %v", v))
			}
		}
	}
	if b.arrivals != load.Constant && b.arrivals != load.Poisson {
		faults = append(faults, fmt.Errorf("--arrivals must be %s or %s, not %q", load.Constant, load.Poisson, b.arrivals))
	}
	return errors.Join(faults...)
}
