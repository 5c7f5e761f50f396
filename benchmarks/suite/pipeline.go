package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"edgelens"
	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
	"edgelens/inference"
	"edgelens/models"
	"edgelens/preprocess"
)

// Stages are the names of the stages of a pipeline, in order.
var Stages = []string{"decode", "resize", "invoke"}

// PipelineConfig has the parts that decode, resize and run the model.
type PipelineConfig struct {
	Backend    inference.Backend
	Options    inference.Options
	Model      models.Model
	Preprocess preprocess.Config
}

// pipeline does the indispensable work: decode, resize and Invoke. It is for one goroutine.
type pipeline struct {
	preprocessor *preprocess.Preprocessor
	model        inference.Model
	interpreter  inference.Interpreter
	input        models.InputSpec
	out          []byte
}

func openPipeline(c PipelineConfig) (_ runner, err error) {
	p := &pipeline{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.preprocessor, err = preprocess.New(c.Preprocess); err != nil {
		return nil, err
	}
	if p.model, err = c.Backend.Open(c.Model.Path, c.Options); err != nil {
		return nil, err
	}
	if p.interpreter, err = p.model.NewInterpreter(); err != nil {
		return nil, err
	}
	if p.input, err = c.Model.NewInput(p.interpreter.Input()); err != nil {
		return nil, err
	}
	p.out = make([]byte, p.interpreter.Output().Bytes())
	return p, nil
}

func (p *pipeline) run(image []byte) ([]time.Duration, error) {
	tensor, err := p.interpreter.InputTensor()
	if err != nil {
		return nil, err
	}
	view := edgelens.View{Fit: p.preprocessor.Fit()}
	filled, err := p.preprocessor.Tensors(image, models.InputBuffer{Spec: p.input, View: view, Bytes: tensor})
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := p.invoke(); err != nil {
		return nil, err
	}
	for _, part := range filled.More {
		copy(tensor, part)
		if err := p.invoke(); err != nil {
			return nil, err
		}
	}
	return []time.Duration{filled.Timings.Decode, filled.Timings.Preprocess, time.Since(start)}, nil
}

func (p *pipeline) invoke() error {
	if err := p.interpreter.Invoke(); err != nil {
		return err
	}
	return p.interpreter.ReadOutput(p.out)
}

func (p *pipeline) close() error {
	var errs []error
	if p.interpreter != nil {
		errs = append(errs, p.interpreter.Close())
	}
	if p.model != nil {
		errs = append(errs, p.model.Close())
	}
	if p.preprocessor != nil {
		errs = append(errs, p.preprocessor.Close())
	}
	return errors.Join(errs...)
}

// bareModel runs the model alone, on noise. It is for one goroutine.
type bareModel struct {
	model       inference.Model
	interpreter inference.Interpreter
}

func openBareModel(c PipelineConfig) (runner, error) {
	model, err := c.Backend.Open(c.Model.Path, c.Options)
	if err != nil {
		return nil, err
	}
	interpreter, err := newNoisyInterpreter(model)
	if err != nil {
		return nil, errors.Join(err, model.Close())
	}
	return bareModel{model, interpreter}, nil
}

func (b bareModel) run([]byte) ([]time.Duration, error) { return nil, b.interpreter.Invoke() }

func (b bareModel) close() error { return errors.Join(b.interpreter.Close(), b.model.Close()) }

// runner is a pipeline or a bareModel. It is for one goroutine.
type runner interface {
	// run runs once, and returns the duration of each of Stages; none without stages.
	run(image []byte) ([]time.Duration, error)
	close() error
}

// PipelineTasks returns the ceiling for each image, on that many cores, and with stages their tasks on one core.
func PipelineTasks(images []Image, cores int, stages bool, config PipelineConfig) []Task {
	open := func() (runner, error) { return openPipeline(config) }
	var tasks []Task
	for _, image := range images {
		tasks = append(tasks, ceilingTask(image, cores, open))
		if stages {
			tasks = append(tasks, stagesTask(image, open))
		}
	}
	return tasks
}

func ceilingTask(image Image, cores int, open func() (runner, error)) Task {
	return Task{
		Case: record.Case{Suite: "pipeline", Name: "ceiling " + image.Name, Mode: record.ModeCeiling, Kind: record.KindCeiling, Image: image.Name, Connections: cores},
		Do: func(ctx context.Context, round *Round) error {
			pipelines, err := openPipelines(cores, open)
			if err != nil {
				return err
			}
			defer closePipelines(pipelines)
			before, begin := ownCPU(), time.Now()
			samples, err := loop(ctx, pipelines, image.Data, begin, round.Window)
			if err != nil {
				return err
			}
			round.Figure(record.FigureCPU, (ownCPU() - before).Seconds())
			round.window(begin, round.Window)
			for _, s := range samples {
				round.Sample(s.worker, s.begin, s.begin, s.end, load.Good)
			}
			return nil
		},
	}
}

type looped struct {
	worker     int
	begin, end time.Time
	stages     []time.Duration
}

// loop runs each pipeline on a goroutine of its own.
func loop(ctx context.Context, pipelines []runner, image []byte, begin time.Time, window time.Duration) ([]looped, error) {
	var mu sync.Mutex
	var all []looped
	var errs []error
	var group sync.WaitGroup
	for i, pipeline := range pipelines {
		group.Go(func() {
			var samples []looped
			var problem error
			for problem == nil && ctx.Err() == nil && time.Since(begin) < window {
				start := time.Now()
				stages, err := pipeline.run(image)
				samples, problem = append(samples, looped{i, start, time.Now(), stages}), err
			}
			mu.Lock()
			defer mu.Unlock()
			all, errs = append(all, samples...), append(errs, problem)
		})
	}
	group.Wait()
	return all, errors.Join(errs...)
}

func openPipelines(n int, open func() (runner, error)) ([]runner, error) {
	var pipelines []runner
	for range n {
		pipeline, err := open()
		if err != nil {
			closePipelines(pipelines)
			return nil, err
		}
		pipelines = append(pipelines, pipeline)
	}
	return pipelines, nil
}

func closePipelines(pipelines []runner) {
	for _, pipeline := range pipelines {
		_ = pipeline.close() // it is not used any more
	}
}

// stagesTask runs one pipeline alone, and records a case for each stage.
func stagesTask(image Image, open func() (runner, error)) Task {
	of := func(stage string) record.Case {
		return record.Case{Suite: "pipeline", Name: fmt.Sprintf("%s %s", stage, image.Name), Mode: record.ModeStage, Kind: stage, Image: image.Name, Connections: 1}
	}
	task := Task{Case: of(Stages[0])}
	for _, stage := range Stages[1:] {
		task.More = append(task.More, of(stage))
	}
	cases := append([]record.Case{task.Case}, task.More...)
	task.Do = func(ctx context.Context, round *Round) error {
		pipelines, err := openPipelines(1, open)
		if err != nil {
			return err
		}
		defer closePipelines(pipelines)
		samples, err := loop(ctx, pipelines, image.Data, time.Now(), round.Window)
		if err != nil {
			return err
		}
		for _, s := range samples {
			at := s.begin
			for i, took := range s.stages {
				round.task = cases[i]
				round.Sample(0, at, at, at.Add(took), load.Good)
				at = at.Add(took)
			}
		}
		return nil
	}
	return task
}

// ownCPU is the CPU time of this process.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
