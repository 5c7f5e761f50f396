package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
	"edgelens/benchmarks/suite"
	"edgelens/internal/config"
)

// bencher holds what a benchmark has started, until close.
type bencher struct {
	cmd    *cobra.Command
	config *config.Config
	flags  *benchFlags
	images []suite.Image
	run    *record.Run
	// cases and figures were measured while the service was started.
	cases   []record.Case
	figures []record.Figure
	ends    []func() error
	// forms are files of the model rewritten, by form.
	forms map[string]string
}

func (b *bencher) close() error {
	var errs []error
	for i := len(b.ends) - 1; i >= 0; i-- {
		errs = append(errs, b.ends[i]())
	}
	return errors.Join(errs...)
}

// tasks fits the suites together, and starts the services that they need.
func (b *bencher) tasks(ctx context.Context, which []string) ([]suite.Task, error) {
	var tasks []suite.Task
	for _, name := range which {
		var more []suite.Task
		var err error
		switch name {
		case "model":
			var forms []suite.ModelSetting
			if forms, err = b.formSettings(ctx); err == nil {
				more = suite.Model(append(b.modelSettings(), forms...), b.measureInChild)
			}
		case "pipeline":
			more, err = b.pipelineTasks(ctx)
		case "http":
			more, err = b.httpTasks(ctx)
		case "mqtt":
			more, err = b.mqttTasks(ctx)
		case suite.SuitePeers:
			more, err = b.peerTasks(ctx)
		}
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, more...)
	}
	b.byImage(tasks)
	return tasks, nil
}

// byImage puts the ceiling of an image beside its loads: what is compared is
// to be measured at nearly the same time. The model comes first, terminals and other services last.
func (b *bencher) byImage(tasks []suite.Task) {
	place := func(t suite.Task) int {
		switch t.Case.Suite {
		case "model":
			return -1
		case "mqtt", suite.SuitePeers:
			return len(b.images) + 1
		}
		if i := slices.IndexFunc(b.images, func(p suite.Image) bool { return p.Name == t.Case.Image }); i >= 0 {
			return i
		}
		return len(b.images) // all of them together
	}
	slices.SortStableFunc(tasks, func(x, y suite.Task) int { return place(x) - place(y) })
}

func (b *bencher) httpTasks(ctx context.Context) ([]suite.Task, error) {
	service, err := b.httpService(ctx)
	if err != nil {
		return nil, err
	}
	f := b.flags
	tasks := suite.HTTP(suite.HTTPConfig{
		Images: b.images, Together: f.together, Kinds: f.kinds, Connections: f.connections, Loads: f.loads, Rates: f.rates,
		Arrivals: f.arrivals, OpenConnections: f.openConnections, Seed: f.seed,
	}, service)
	if f.soak > 0 {
		tasks = append(tasks, suite.SoakTask(service, b.images, slices.Max(f.connections), f.soak))
	}
	return tasks, nil
}

// httpService is the target, or a service of our own. That is started as often
// as there are runs, to see how long it takes; the last one stays.
func (b *bencher) httpService(ctx context.Context) (suite.Service, error) {
	if b.flags.target != "" {
		return suite.Remote{Base: b.flags.target}, nil
	}
	c := record.Case{Suite: "http", Name: "start", Mode: report.ModeStart}
	b.cases = append(b.cases, c)
	for run := 1; ; run++ {
		own, end, err := b.start(ctx, changedFlags(b.cmd, isSetting), "--mqtt-listen=")
		if err != nil {
			return nil, err
		}
		b.figures = append(b.figures,
			record.Figure{Suite: c.Suite, Case: c.Name, Run: run, Name: record.FigureReady, Value: own.Ready.Seconds()},
			record.Figure{Suite: c.Suite, Case: c.Name, Run: run, Name: record.FigureIdle, Value: float64(own.Idle)})
		if run >= b.flags.plan.Rounds {
			b.ends = append(b.ends, end)
			return own, nil
		}
		if err := end(); err != nil {
			return nil, err
		}
	}
}

func (b *bencher) mqttTasks(ctx context.Context) ([]suite.Task, error) {
	if b.flags.target != "" {
		return nil, errors.New("the suite mqtt starts a service and a broker of its own; leave out --target")
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	own, end, err := b.start(ctx, changedFlags(b.cmd, isSetting), "--mqtt-listen="+address)
	if err != nil {
		return nil, err
	}
	b.ends = append(b.ends, end)
	return suite.MQTT(b.flags.terminals, b.flags.terminalRate, b.images, b.flags.seed, own, benchTerminals("mqtt://"+address)), nil
}

// benchProgram is what serves; tests are another program.
var benchProgram = os.Executable

// start starts a service of our own with a data folder of its own. Where it
// does not start, the error has its last words.
func (b *bencher) start(ctx context.Context, settings []string, more ...string) (*suite.Own, func() error, error) {
	return startOwn(ctx, b.config, settings, more...)
}

func startOwn(ctx context.Context, c *config.Config, settings []string, more ...string) (*suite.Own, func() error, error) {
	program, err := benchProgram()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program: %w", err)
	}
	models, err := filepath.Abs(c.ModelsDir)
	if err != nil {
		return nil, nil, fmt.Errorf("find the models: %w", err)
	}
	data, err := os.MkdirTemp("", "edgelens-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a data folder: %w", err)
	}
	args := append([]string{"serve"}, settings...)
	args = append(args, "--listen=127.0.0.1:0", "--data-dir="+data, "--models-dir="+models, "--redis-url=", "--mqtt-url=", "--webhook-url=",
		"--log-format=json", "--log-level=info")
	log := &lastWords{}
	own, err := suite.Start(ctx, program, append(args, more...), log)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w\n%s", err, log), os.RemoveAll(data))
	}
	return own, func() error { return errors.Join(own.Stop(), os.RemoveAll(data)) }, nil
}

// lastWords keeps the end of a log. The service's reader alone writes to it,
// and has ended when Start returns an error.
type lastWords struct{ bytes.Buffer }

const maxLastWords = 4 << 10

func (w *lastWords) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if over := w.Len() - maxLastWords; over > 0 {
		w.Next(over)
	}
	return n, err
}

func isSetting(name string) bool {
	settings := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(settings, benchSettings...)
	return settings.Lookup(name) != nil
}

// changedFlags returns the flags that were given and are wanted.
func changedFlags(cmd *cobra.Command, want func(name string) bool) []string {
	var args []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if want(f.Name) {
			value := f.Value.String()
			if list, ok := f.Value.(pflag.SliceValue); ok {
				value = strings.Join(list.GetSlice(), ",")
			}
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	return args
}

// freeAddress returns an address where nobody listens now.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// modelSettings are those that fit on the cores.
func (b *bencher) modelSettings() []suite.ModelSetting {
	return fitting(b.flags.delegates, b.flags.threads, b.flags.interpreters, runtime.NumCPU())
}

func fitting(delegates []string, threads, interpreters []int, cores int) []suite.ModelSetting {
	var settings []suite.ModelSetting
	for _, delegate := range delegates {
		for _, t := range threads {
			for _, i := range interpreters {
				if t*i <= max(cores, 1) {
					settings = append(settings, suite.ModelSetting{Delegate: delegate, Threads: t, Interpreters: i})
				}
			}
		}
	}
	return settings
}
