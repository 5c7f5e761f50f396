package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"time"

	"edgelens/benchmarks/suite"
	"edgelens/benchmarks/tune"
	"edgelens/internal/app"
	"edgelens/internal/tuned"
	"edgelens/models"
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
	// Images are files and folders of them; if empty, images are generated.
	Images []string
	// JSON is whether the result is printed as JSON, in place of the tables.
	JSON bool
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

// Tune searches in two steps: what runs the model, by the model alone on one thread; and with that the threads and
// interpreters, by the service. It prints the measurements and the written settings to out. Progress goes to progress.
func Tune(ctx context.Context, c TuneConfig, out, progress io.Writer) error {
	if err := c.validate(); err != nil {
		return err
	}
	images, err := readImages(c.Images)
	if err != nil {
		return err
	}
	model, err := triedModel(ctx, c.Settings)
	if err != nil {
		return err
	}
	text := out
	if c.JSON {
		text = io.Discard
	}
	way, err := c.tuneModel(ctx, model, images, text, progress)
	if err != nil {
		return err
	}
	if len(c.Images) == 0 {
		images = images[:1]
	}
	found, err := c.tuneService(ctx, model, way, images, text, progress)
	if err != nil {
		return err
	}
	if err := c.save(text, found.Best.Settings); err != nil {
		return err
	}
	unstored, err := c.store(text, found)
	if err != nil || !c.JSON {
		return err
	}
	return json.NewEncoder(out).Encode(tunedReport{found, found.Gain(), c.Write, unstored})
}

// tunedReport is the JSON of what was found. Names are added and never changed: scripts read them.
type tunedReport struct {
	tuned.Result
	// Gain is the share by which the best settings are better than those before.
	Gain float64 `json:"gain"`
	// File has the settings.
	File string `json:"file"`
	// Unstored is why serve will not know of them; absent where it does.
	Unstored string `json:"unstored,omitempty"`
}

// tuneService measures the service with each number of threads and interpreters that fits on the cores, and beside them
// the present settings.
func (c TuneConfig) tuneService(ctx context.Context, model models.Model, way tuned.Settings, images []suite.Image, out, progress io.Writer) (tuned.Result, error) {
	before := app.TunedSettings(c.Settings.Inference, model.Runtime)
	candidates := serviceCandidates(way, runtime.NumCPU())
	if !slices.Contains(candidates, before) {
		candidates = append(candidates, before)
	}
	isBefore := func(s tuned.Settings) bool { return s == before }
	tried, err := tune.Search(ctx, candidates, c.Rounds, isBefore, func(ctx context.Context, s tuned.Settings) (float64, error) {
		fmt.Fprintf(progress, "the service on %s, %s, %d x %d threads\n", s.Runtime, s.Delegate, s.Interpreters, s.Threads) // progress only
		return c.measure(ctx, s, images)
	})
	if err != nil {
		return tuned.Result{}, err
	}
	if err := printServices(out, tried, before, c.Goal); err != nil {
		return tuned.Result{}, err
	}
	if tried[0].Err != nil {
		return tuned.Result{}, fmt.Errorf("no setting could be measured: %w", tried[0].Err)
	}
	result := tuned.Result{At: time.Now().UTC().Truncate(time.Second), Version: c.Version, Identity: app.TunedIdentity(app.NewRuntimes(c.Settings), model.Digest), Goal: c.Goal,
		Best: tuned.Measured{Settings: tried[0].Candidate, Score: tried[0].Score()}}
	for _, one := range tried {
		if isBefore(one.Candidate) && one.Err == nil {
			result.Before = tuned.Measured{Settings: before, Score: one.Score()}
		}
	}
	return result, nil
}

// serviceCandidates are the settings that fit on the cores; threads are powers of two, and all cores.
func serviceCandidates(way tuned.Settings, cores int) []tuned.Settings {
	var counts []int
	for n := 1; n < cores; n *= 2 {
		counts = append(counts, n)
	}
	counts = append(counts, cores)
	var settings []tuned.Settings
	for _, threads := range Distinct(counts...) {
		for _, interpreters := range Distinct(append(slices.Clone(counts), cores/threads)...) {
			if threads*interpreters <= cores {
				way.Threads, way.Interpreters = threads, interpreters
				settings = append(settings, way)
				if alone := way; way.Accelerators != "" { // with it may be slower all the same
					alone.Accelerators = ""
					settings = append(settings, alone)
				}
			}
		}
	}
	return settings
}

// flagsFor returns the service's flags with these settings in place of its own.
func (c TuneConfig) flagsFor(s tuned.Settings) []string {
	return append(slices.DeleteFunc(slices.Clone(c.Flags), tuned.IsFlag), s.Flags()...)
}

// measure starts a service with these settings and returns its score.
func (c TuneConfig) measure(ctx context.Context, s tuned.Settings, images []suite.Image) (value float64, err error) {
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

// save writes the settings as an edgelens.yaml. Without --force it never overwrites a file, even one created meanwhile.
func (c TuneConfig) save(out io.Writer, s tuned.Settings) error {
	text := fmt.Sprintf("# Found by `edgelens bench tune --goal %s` on %s.\n%s", c.Goal, time.Now().Format(time.DateOnly), s.YAML())
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

// store stores the result in the data folder, for serve. The settings are written already, so that a failure is a line
// and no error; unstored is its reason.
func (c TuneConfig) store(out io.Writer, r tuned.Result) (unstored string, err error) {
	if err := tuned.Write(c.Settings.DataDir, r); err != nil {
		_, printed := fmt.Fprintf(out, "\nserve will not know of it: %v\n", err)
		return err.Error(), printed
	}
	_, err = fmt.Fprintf(out, "\nStored in the data folder %s; serve logs a line while it runs with others.\n", c.Settings.DataDir)
	return "", err
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
