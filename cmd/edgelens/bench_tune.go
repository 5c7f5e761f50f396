package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/suite"
	"edgelens/benchmarks/tune"
	"edgelens/inference"
	"edgelens/internal/config"
)

// The goals of tune.
const (
	goalThroughput = "throughput"
	goalLatency    = "latency"
)

type tuneFlags struct {
	goal        string
	write       string
	force       bool
	rounds      int
	window      time.Duration
	connections int
	images      []string
}

func newBenchTune(environ []string) *cobra.Command {
	flags := &tuneFlags{}
	cmd := &cobra.Command{
		Use:   "tune --goal latency|throughput",
		Short: "Find the best settings for this board, and write them to a file",
		Long: `Starts the service with interpreters, threads and delegates in every way that fits on the
cores, loads each for a moment, and measures the better half again until two are left.
throughput is answers a second with many connections; latency is the 95th percentile with
one. The best settings are written as an edgelens.yaml, which serve reads.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			return tuneService(cmd, c, flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.goal, "goal", goalThroughput, "latency or throughput")
	f.StringVar(&flags.write, "write", "edgelens.yaml", "file to write the best settings to")
	f.BoolVar(&flags.force, "force", false, "write over that file where it is there")
	f.IntVar(&flags.rounds, "runs", 4, "how often the best are measured")
	f.DurationVar(&flags.window, "duration", 3*time.Second, "how long each measurement lasts")
	f.IntVar(&flags.connections, "connections", 8, "for throughput: how many connections")
	f.StringArrayVar(&flags.images, "images", nil, "an image to send, or a folder of them; may be given again (default: made up, 1280x720)")
	config.AddFlags(f, benchSettings...)
	return cmd
}

func (f *tuneFlags) check() error {
	var errs []error
	if f.goal != goalThroughput && f.goal != goalLatency {
		errs = append(errs, fmt.Errorf("--goal must be latency or throughput, not %q", f.goal))
	}
	if f.rounds < 1 || f.rounds > 100 || f.window < 10*time.Millisecond || f.connections < 1 || f.connections > 4096 {
		errs = append(errs, errors.New("--runs must be 1 to 100, --duration at least 10ms and --connections 1 to 4096"))
	}
	if _, err := os.Stat(f.write); !f.force && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, fmt.Errorf("--write: %s is there already; name another file, or add --force to write over it", f.write))
	}
	return errors.Join(errs...)
}

func tuneService(cmd *cobra.Command, c *config.Config, flags *tuneFlags) error {
	if err := flags.check(); err != nil {
		return err
	}
	images, err := benchImages(flags.images)
	if err != nil {
		return err
	}
	if len(flags.images) == 0 {
		images = images[:1]
	}
	candidates := tuneCandidates(runtime.NumCPU())
	settings := changedFlags(cmd, func(name string) bool { return isSetting(name) && !tuned(name) })
	tried, err := tune.Search(cmd.Context(), candidates, flags.rounds, func(ctx context.Context, s suite.ModelSetting) (float64, error) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s, %d x %d threads\n", s.Delegate, s.Interpreters, s.Threads) // only talk
		return flags.measure(ctx, c, append(settings, settingFlags(s)...), images)
	})
	if err != nil {
		return err
	}
	if err := printTried(cmd, tried, flags.goal); err != nil {
		return err
	}
	if tried[0].Err != nil {
		return fmt.Errorf("no setting could be measured: %w", tried[0].Err)
	}
	return flags.save(cmd, tried[0].Candidate)
}

// tuneCandidates fit on the cores; threads are powers of two, and all cores.
func tuneCandidates(cores int) []suite.ModelSetting {
	var counts []int
	for n := 1; n < cores; n *= 2 {
		counts = append(counts, n)
	}
	counts = append(counts, cores)
	var settings []suite.ModelSetting
	for _, delegate := range []string{inference.DelegateAuto, inference.DelegateNone} {
		for _, threads := range distinct(counts...) {
			interpreters := distinct(append(slices.Clone(counts), cores/threads)...)
			settings = append(settings, fitting([]string{delegate}, []int{threads}, interpreters, cores)...)
		}
	}
	return settings
}

func tuned(flag string) bool {
	return flag == "inference-delegate" || flag == "inference-threads" || flag == "inference-interpreters"
}

func settingFlags(s suite.ModelSetting) []string {
	return []string{"--inference-delegate=" + s.Delegate, fmt.Sprintf("--inference-threads=%d", s.Threads), fmt.Sprintf("--inference-interpreters=%d", s.Interpreters)}
}

// measure starts a service with these settings and returns how good it is.
func (f *tuneFlags) measure(ctx context.Context, c *config.Config, settings []string, images []suite.Image) (value float64, err error) {
	own, end, err := startOwn(ctx, c, settings, "--mqtt-listen=")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if f.goal == goalLatency {
		result, err := suite.Once(ctx, own, images, 1, f.window)
		if err != nil {
			return 0, err
		}
		return -float64(result.Latency.ValueAtQuantile(95)) / 1000, nil
	}
	result, err := suite.Once(ctx, own, images, f.connections, f.window)
	if err != nil {
		return 0, err
	}
	return result.Throughput(), nil
}

func printTried(cmd *cobra.Command, tried []tune.Tried[suite.ModelSetting], goal string) error {
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DELEGATE\tINTERPRETERS\tTHREADS\tRUNS\tMEDIAN") // Flush returns the error
	for _, one := range tried {
		text := fmt.Sprintf("%.1f/s", one.Score())
		if goal == goalLatency {
			text = fmt.Sprintf("p95 %.1f ms", -one.Score())
		}
		if one.Err != nil {
			text = fmt.Sprintf("failed: %.100s", one.Err.Error())
		}
		s := one.Candidate
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\n", s.Delegate, s.Interpreters, s.Threads, len(one.Values), text) // Flush returns the error
	}
	return t.Flush()
}

// save writes the settings as an edgelens.yaml. Without --force it never
// writes over a file, not even one that came meanwhile.
func (f *tuneFlags) save(cmd *cobra.Command, s suite.ModelSetting) error {
	text := fmt.Sprintf("# Found by `edgelens bench tune --goal %s` on %s.\ninference:\n  interpreters: %d\n  threads: %d\n  delegate: %s\n",
		f.goal, time.Now().Format(time.DateOnly), s.Interpreters, s.Threads, s.Delegate)
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if f.force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(f.write, how, 0o644)
	if err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nWritten to %s:\n%s", f.write, text)
	return err
}
