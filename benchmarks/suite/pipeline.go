package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
)

// Pipeline does what nobody can leave out: decode, resize and Invoke. It is for
// one goroutine.
type Pipeline interface {
	// Run does it once, and says how long each of the stages took, which are
	// the same every time.
	Run(image []byte) ([]Stage, error)
	Close() error
}

// Stage is a part of Run.
type Stage struct {
	Name string
	Took time.Duration
}

// Stages are the names of the stages, in order.
var Stages = []string{"decode", "resize", "invoke"}

// KindCeiling is the whole way in a bare loop.
const KindCeiling = "ceiling"

// PipelineTasks returns the ceiling for each image, on that many cores, and
// where stages is set the stages on one.
func PipelineTasks(images []Image, cores int, stages bool, open func() (Pipeline, error)) []Task {
	var tasks []Task
	for _, image := range images {
		tasks = append(tasks, ceilingTask(image, cores, open))
		if stages {
			tasks = append(tasks, stagesTask(image, open))
		}
	}
	return tasks
}

func ceilingTask(image Image, cores int, open func() (Pipeline, error)) Task {
	return Task{
		Case: record.Case{Suite: "pipeline", Name: "ceiling " + image.Name, Mode: record.ModeCeiling, Kind: KindCeiling, Image: image.Name, Connections: cores},
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
	stages     []Stage
}

// loop runs each pipeline on a goroutine of its own.
func loop(ctx context.Context, pipelines []Pipeline, image []byte, begin time.Time, window time.Duration) ([]looped, error) {
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
				stages, err := pipeline.Run(image)
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

func openPipelines(n int, open func() (Pipeline, error)) ([]Pipeline, error) {
	var pipelines []Pipeline
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

func closePipelines(pipelines []Pipeline) {
	for _, pipeline := range pipelines {
		_ = pipeline.Close() // nothing of it is used any more
	}
}

// stagesTask runs one pipeline alone, and keeps a case for each stage.
func stagesTask(image Image, open func() (Pipeline, error)) Task {
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
			for i, stage := range s.stages {
				if i >= len(Stages) || stage.Name != Stages[i] {
					return fmt.Errorf("the pipeline tells of stage %q, not of %q", stage.Name, Stages)
				}
				round.task = cases[i]
				round.Sample(0, at, at, at.Add(stage.Took), load.Good)
				at = at.Add(stage.Took)
			}
		}
		return nil
	}
	return task
}

// ownCPU is what this process has used of CPU.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
