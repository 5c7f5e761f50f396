package runner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/suite"
	"edgelens/internal/board"
	"edgelens/internal/console"
)

// run has the started processes of a benchmark, until close. It is for one goroutine.
type run struct {
	config Config
	images []suite.Image
	record *record.Run
	// cases and figures were measured while the service was started.
	cases   []record.Case
	figures []record.Figure
	ends    []func() error
}

// Run measures and returns the folder of the records, also of an interrupted run; "" where nothing was measured.
// Progress goes to progress.
func Run(ctx context.Context, c Config, progress io.Writer) (dir string, err error) {
	if err := c.Validate(); err != nil {
		return "", err
	}
	images, err := readImages(c.Images)
	if err != nil {
		return "", err
	}
	recorded, err := newRecord(ctx, c)
	if err != nil {
		return "", err
	}
	r := &run{config: c, images: images, record: recorded}
	defer func() { err = errors.Join(err, r.close()) }()
	tasks, err := r.tasks(ctx)
	if err != nil {
		return "", err
	}
	prober := board.Prober{Root: "/"}
	recorded.Before, recorded.After = prober.State(ctx), prober.State(ctx)
	recorded.Cases = append(r.cases, suite.Cases(tasks)...)
	w, err := record.Create(filepath.Join(c.Out, recorded.ID), recorded)
	if err != nil {
		return "", err
	}
	if err := w.Add(nil, r.figures); err != nil {
		return "", errors.Join(err, w.Close())
	}
	measured := suite.Execute(ctx, c.Plan, tasks, recorded, w, console.NewProgress(progress, c.Plan.Rounds+1))
	recorded.After = prober.State(context.WithoutCancel(ctx))
	if measured == nil {
		recorded.Ended = time.Now()
	}
	return w.Dir(), errors.Join(measured, w.Update(recorded), w.Close())
}

func newRecord(ctx context.Context, c Config) (*record.Run, error) {
	now := time.Now()
	r := &record.Run{
		ID: record.FolderName(now), Started: now, Command: c.Command,
		Version: c.Version, Commit: commitOf(c.Version), Go: runtime.Version(), Seed: c.Seed, Rounds: c.Plan.Rounds,
		Board: board.Prober{Root: "/"}.Facts(), Settings: "target: " + c.Target,
	}
	if c.Target != "" {
		return r, nil // its model and settings are unknown
	}
	var settings bytes.Buffer
	if err := c.Settings.Print(&settings); err != nil {
		return nil, err
	}
	r.Settings = settings.String()
	model, err := triedModel(ctx, c.Settings)
	if err != nil {
		return nil, err
	}
	r.Model, r.Digest = model.Name, model.Digest
	return r, nil
}

// commitOf returns the commit in the output of git describe.
func commitOf(version string) string {
	if _, commit, ok := strings.Cut(version, "-g"); ok {
		return commit
	}
	return version
}

func (r *run) close() error {
	var errs []error
	for i := len(r.ends) - 1; i >= 0; i-- {
		errs = append(errs, r.ends[i]())
	}
	return errors.Join(errs...)
}

// tasks returns the tasks of the suites, and starts the services that they need.
func (r *run) tasks(ctx context.Context) ([]suite.Task, error) {
	var tasks []suite.Task
	for _, name := range r.config.Suites {
		var more []suite.Task
		var err error
		switch name {
		case "model":
			more, err = r.modelTasks(ctx)
		case "pipeline":
			more, err = r.pipelineTasks(ctx)
		case "http":
			more, err = r.httpTasks(ctx)
		case "mqtt":
			more, err = r.mqttTasks(ctx)
		case record.SuitePeers:
			more, err = r.peerTasks(ctx)
		}
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, more...)
	}
	r.byImage(tasks)
	return tasks, nil
}

// byImage orders the tasks so that the ceiling of an image is measured close to its loads. The model comes first,
// terminals and other services last.
func (r *run) byImage(tasks []suite.Task) {
	place := func(t suite.Task) int {
		switch t.Case.Suite {
		case "model":
			return -1
		case "mqtt", record.SuitePeers:
			return len(r.images) + 1
		}
		if i := slices.IndexFunc(r.images, func(p suite.Image) bool { return p.Name == t.Case.Image }); i >= 0 {
			return i
		}
		return len(r.images) // all of them together
	}
	slices.SortStableFunc(tasks, func(x, y suite.Task) int { return place(x) - place(y) })
}
