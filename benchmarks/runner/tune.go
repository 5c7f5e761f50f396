package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"edgelens/benchmarks/suite"
	"edgelens/benchmarks/tune"
	"edgelens/inference"
)

// The goals of Tune.
const (
	GoalThroughput = "throughput"
	GoalLatency    = "latency"
)

// TuneConfig is the configuration of Tune.
type TuneConfig struct {
	Service
	// Goal is GoalThroughput or GoalLatency.
	Goal string
	// Write is the file for the best settings; with Force, an existing one is replaced.
	Write string
	Force bool
	// Rounds is the number of runs of the best settings, and Window the duration of each.
	Rounds int
	Window time.Duration
	// Connections is the number of connections for GoalThroughput.
	Connections int
	// Images are files and folders of them; if empty, an image is generated.
	Images []string
}

// validate reports every error at once.
func (c TuneConfig) validate() error {
	var errs []error
	if c.Goal != GoalThroughput && c.Goal != GoalLatency {
		errs = append(errs, fmt.Errorf("--goal must be latency or throughput, not %q", c.Goal))
	}
	if c.Rounds < 1 || c.Rounds > 100 || c.Window < 10*time.Millisecond || c.Connections < 1 || c.Connections > 4096 {
		errs = append(errs, errors.New("--runs must be 1 to 100, --duration at least 10ms and --connections 1 to 4096"))
	}
	if _, err := os.Stat(c.Write); !c.Force && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, fmt.Errorf("--write: %s already exists; name another file, or add --force to overwrite it", c.Write))
	}
	return errors.Join(errs...)
}

// Tune starts the service with each of the settings that fit on the cores, and prints the measurements and the written
// settings to out. Progress goes to progress.
func Tune(ctx context.Context, c TuneConfig, out, progress io.Writer) error {
	if err := c.validate(); err != nil {
		return err
	}
	images, err := readImages(c.Images)
	if err != nil {
		return err
	}
	if len(c.Images) == 0 {
		images = images[:1]
	}
	tried, err := tune.Search(ctx, tuneCandidates(runtime.NumCPU()), c.Rounds, func(ctx context.Context, s suite.ModelSetting) (float64, error) {
		fmt.Fprintf(progress, "%s, %d x %d threads\n", s.Delegate, s.Interpreters, s.Threads) // progress only
		return c.measure(ctx, s, images)
	})
	if err != nil {
		return err
	}
	if err := printTried(out, tried, c.Goal); err != nil {
		return err
	}
	if tried[0].Err != nil {
		return fmt.Errorf("no setting could be measured: %w", tried[0].Err)
	}
	return c.save(out, tried[0].Candidate)
}

// tuneCandidates are the settings that fit on the cores; threads are powers of two, and all cores.
func tuneCandidates(cores int) []suite.ModelSetting {
	var counts []int
	for n := 1; n < cores; n *= 2 {
		counts = append(counts, n)
	}
	counts = append(counts, cores)
	var settings []suite.ModelSetting
	for _, delegate := range []string{inference.DelegateAuto, inference.DelegateNone} {
		for _, threads := range Distinct(counts...) {
			interpreters := Distinct(append(slices.Clone(counts), cores/threads)...)
			settings = append(settings, fitting([]string{delegate}, []int{threads}, interpreters, cores)...)
		}
	}
	return settings
}

// tunedFlags are the flags of the settings that Tune varies.
var tunedFlags = []string{"--inference-delegate=", "--inference-threads=", "--inference-interpreters="}

// flagsFor returns the service's flags with these settings in place of its own.
func (c TuneConfig) flagsFor(s suite.ModelSetting) []string {
	flags := slices.DeleteFunc(slices.Clone(c.Flags), func(flag string) bool {
		return slices.ContainsFunc(tunedFlags, func(tuned string) bool { return strings.HasPrefix(flag, tuned) })
	})
	return append(flags, tunedFlags[0]+s.Delegate, fmt.Sprint(tunedFlags[1], s.Threads), fmt.Sprint(tunedFlags[2], s.Interpreters))
}

// measure starts a service with these settings and returns its score.
func (c TuneConfig) measure(ctx context.Context, s suite.ModelSetting, images []suite.Image) (value float64, err error) {
	service := c.Service
	service.Flags = c.flagsFor(s)
	own, end, err := service.start(ctx, "--mqtt-listen=")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if c.Goal == GoalLatency {
		result, err := suite.Once(ctx, own, images, 1, c.Window)
		if err != nil {
			return 0, err
		}
		return -float64(result.Latency.ValueAtQuantile(95)) / 1000, nil
	}
	result, err := suite.Once(ctx, own, images, c.Connections, c.Window)
	if err != nil {
		return 0, err
	}
	return result.Throughput(), nil
}

func printTried(out io.Writer, tried []tune.Tried[suite.ModelSetting], goal string) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DELEGATE\tINTERPRETERS\tTHREADS\tRUNS\tMEDIAN") // Flush returns the error
	for _, one := range tried {
		text := fmt.Sprintf("%.1f/s", one.Score())
		if goal == GoalLatency {
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

// save writes the settings as an edgelens.yaml. Without --force it never overwrites a file, even one created meanwhile.
func (c TuneConfig) save(out io.Writer, s suite.ModelSetting) error {
	text := fmt.Sprintf("# Found by `edgelens bench tune --goal %s` on %s.\ninference:\n  interpreters: %d\n  threads: %d\n  delegate: %s\n",
		c.Goal, time.Now().Format(time.DateOnly), s.Interpreters, s.Threads, s.Delegate)
	how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if c.Force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(c.Write, how, 0o644)
	if err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	_, err = fmt.Fprintf(out, "\nWritten to %s:\n%s", c.Write, text)
	return err
}

// Distinct returns the numbers without duplicates.
func Distinct(numbers ...int) []int {
	var out []int
	for _, n := range numbers {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
