package suite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
)

// Interpreter runs a model once, on input of its own. It is for one goroutine.
type Interpreter interface {
	Invoke() error
	Close() error
}

// Opened is an open model.
type Opened interface {
	NewInterpreter() (Interpreter, error)
	// Delegate is what runs the graph.
	Delegate() string
	Close() error
}

// ModelSetting is how a model is run.
type ModelSetting struct {
	Delegate     string `json:"delegate"`
	Threads      int    `json:"threads"`
	Interpreters int    `json:"interpreters"`
	// Form is FormFloat32 or FormInt8 for the model rewritten to be that; empty
	// for the model itself.
	Form string `json:"form,omitempty"`
}

// The forms that a model may be rewritten to.
const (
	FormFloat32 = "float32"
	FormInt8    = "int8"
)

// name is that of the case.
func (s ModelSetting) name() string {
	name := fmt.Sprintf("%s, threads %d, interpreters %d", s.Delegate, s.Threads, s.Interpreters)
	if s.Form != "" {
		name = s.Form + " form, " + name
	}
	return name
}

// ModelTimes is what TFLite's benchmark_model reports
// (https://github.com/tensorflow/tensorflow/tree/v2.9.0/tensorflow/lite/tools/benchmark),
// under its names. All interpreters run at a time.
type ModelTimes struct {
	// Init is from nothing to every interpreter built.
	Init time.Duration `json:"init"`
	// FirstInference is that of the slowest interpreter.
	FirstInference time.Duration   `json:"first_inference"`
	Warmup         []time.Duration `json:"warmup"`
	// Inferences are those in the window.
	Inferences []Inference `json:"inferences"`
	// MemoryInit and MemoryOverall are by how much the process's resident memory
	// grew, after Init and in all.
	MemoryInit    int64  `json:"memory_init"`
	MemoryOverall int64  `json:"memory_overall"`
	Delegate      string `json:"delegate"`
	// FileBytes is the size of the model's file.
	FileBytes int64 `json:"file_bytes"`
}

// Inference is one run.
type Inference struct {
	Interpreter int       `json:"interpreter"`
	Begin       time.Time `json:"begin"`
	End         time.Time `json:"end"`
}

// warmUpFor is how long a model runs before its times count, as long as
// benchmark_model does (--warmup_min_secs).
const warmUpFor = 500 * time.Millisecond

// MeasureModel measures a model in this process, which should have done nothing
// else: memory that was used and freed would be taken for the model's.
func MeasureModel(ctx context.Context, open func(ModelSetting) (Opened, error), setting ModelSetting, window time.Duration, self int) (*ModelTimes, error) {
	before, err := resident(self)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	model, err := open(setting)
	if err != nil {
		return nil, err
	}
	defer model.Close() // the process ends next
	interpreters := make([]Interpreter, setting.Interpreters)
	for i := range interpreters {
		if interpreters[i], err = model.NewInterpreter(); err != nil {
			return nil, err
		}
		defer interpreters[i].Close() // the process ends next
	}
	times := &ModelTimes{Init: time.Since(start), Delegate: model.Delegate()}
	after, err := resident(self)
	if err != nil {
		return nil, err
	}
	times.MemoryInit = after - before
	for _, run := range invokeAll(interpreters, func(n int, _ time.Time) bool { return n < 1 }) {
		if run.err != nil {
			return nil, run.err
		}
		times.FirstInference = max(times.FirstInference, run.End.Sub(run.Begin))
	}
	for _, run := range invokeAll(interpreters, until(ctx, min(window, warmUpFor))) {
		if run.err != nil {
			return nil, run.err
		}
		times.Warmup = append(times.Warmup, run.End.Sub(run.Begin))
	}
	for _, run := range invokeAll(interpreters, until(ctx, window)) {
		if run.err != nil {
			return nil, run.err
		}
		times.Inferences = append(times.Inferences, run.Inference)
	}
	if after, err = resident(self); err != nil {
		return nil, err
	}
	times.MemoryOverall = after - before
	return times, ctx.Err()
}

func until(ctx context.Context, window time.Duration) func(int, time.Time) bool {
	return func(n int, begin time.Time) bool { return n == 0 || ctx.Err() == nil && time.Since(begin) < window }
}

type invoked struct {
	Inference
	err error
}

// invokeAll runs every interpreter on a goroutine of its own while more says so.
func invokeAll(interpreters []Interpreter, more func(n int, begin time.Time) bool) []invoked {
	runs := make([][]invoked, len(interpreters))
	begin := time.Now()
	var group sync.WaitGroup
	for i, interpreter := range interpreters {
		group.Go(func() {
			for n := 0; more(n, begin); n++ {
				start := time.Now()
				err := interpreter.Invoke()
				runs[i] = append(runs[i], invoked{Inference{i, start, time.Now()}, err})
				if err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	var all []invoked
	for _, r := range runs {
		all = append(all, r...)
	}
	return all
}

// The figures of a model.
const (
	FigureInit          = "init_seconds"
	FigureFirst         = "first_inference_seconds"
	FigureWarmup        = "warmup_seconds" // mean
	FigureMemoryInit    = "memory_init_bytes"
	FigureMemoryOverall = "memory_overall_bytes"
	FigureFile          = "file_bytes"
)

// MeasureInChild is MeasureModel in a process of its own.
type MeasureInChild func(ctx context.Context, setting ModelSetting, window time.Duration) (*ModelTimes, error)

// Model returns a task for each setting.
func Model(settings []ModelSetting, measure MeasureInChild) []Task {
	var tasks []Task
	for _, setting := range settings {
		tasks = append(tasks, Task{
			Case: record.Case{Suite: "model", Name: setting.name(), Form: setting.Form,
				Mode: record.ModeModel, Delegate: setting.Delegate, Threads: setting.Threads, Interpreters: setting.Interpreters},
			Do: func(ctx context.Context, round *Round) error {
				times, err := measure(ctx, setting, round.Window)
				if err != nil {
					return err
				}
				round.model(times)
				return nil
			},
		})
	}
	return tasks
}

func (r *Round) model(times *ModelTimes) {
	var begin, end time.Time
	for _, run := range times.Inferences {
		if begin.IsZero() || run.Begin.Before(begin) {
			begin = run.Begin
		}
		if run.End.After(end) {
			end = run.End
		}
		r.Sample(run.Interpreter, run.Begin, run.Begin, run.End, load.Good)
	}
	r.window(begin, end.Sub(begin))
	r.Figure(FigureInit, times.Init.Seconds())
	r.Figure(FigureFirst, times.FirstInference.Seconds())
	r.Figure(FigureMemoryInit, float64(times.MemoryInit))
	r.Figure(FigureMemoryOverall, float64(times.MemoryOverall))
	r.Figure(FigureFile, float64(times.FileBytes))
	var sum time.Duration
	for _, d := range times.Warmup {
		sum += d
	}
	if n := len(times.Warmup); n > 0 {
		r.Figure(FigureWarmup, sum.Seconds()/float64(n))
	}
}
