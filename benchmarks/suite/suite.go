// Package suite has the measurements: a model alone, the stages of recognition, a service over HTTP, terminals over
// MQTT. It writes the records.
package suite

import (
	"context"
	"fmt"
	"time"

	"edgelens/benchmarks/load"
	"edgelens/benchmarks/record"
)

// Image is an encoded image.
type Image struct {
	Name string
	Data []byte
}

// Task measures one case.
type Task struct {
	Case record.Case
	// More are other cases that are measured at the same time.
	More []record.Case
	// Window is the duration of each of Case.Runs, where it differs.
	Window time.Duration
	// Do measures once, for about that long.
	Do func(ctx context.Context, round *Round) error
}

// Round is one run of a case.
type Round struct {
	// Run is 0 for the warm-up.
	Run    int
	Window time.Duration

	task    record.Case
	started time.Time
	samples []record.Sample
	figures []record.Figure
}

// Sample stores a sample with its due, sent and done times.
func (r *Round) Sample(worker int, due, sent, done time.Time, status string) {
	r.samples = append(r.samples, record.Sample{Suite: r.task.Suite, Case: r.task.Name, Run: r.Run, Worker: worker,
		Due: due.Sub(r.started), Sent: sent.Sub(r.started), Done: done.Sub(r.started), Status: status})
}

// Figure stores a value that is measured once.
func (r *Round) Figure(name string, value float64) {
	r.figures = append(r.figures, record.Figure{Suite: r.task.Suite, Case: r.task.Name, Run: r.Run, Name: name, Value: value})
}

// window stores the window in which answers count.
func (r *Round) window(begin time.Time, length time.Duration) {
	r.Figure(record.FigureBegin, begin.Sub(r.started).Seconds())
	r.Figure(record.FigureEnd, (begin.Sub(r.started) + length).Seconds())
}

// load stores the result of a load.
func (r *Round) load(result *load.Result) {
	r.window(result.Begin, result.Window)
	offset := result.Begin.Sub(r.started)
	for _, s := range result.Samples {
		r.samples = append(r.samples, record.Sample{Suite: r.task.Suite, Case: r.task.Name, Run: r.Run, Worker: s.Worker,
			Due: offset + s.Due, Sent: offset + s.Sent, Done: offset + s.Done, Status: s.Status})
	}
}

// Plan has the number and duration of runs.
type Plan struct {
	Rounds int
	Window time.Duration
	// WarmUp is the duration of the first run, which does not count.
	WarmUp time.Duration
}

// Cases returns the cases of tasks.
func Cases(tasks []Task) []record.Case {
	var cases []record.Case
	for _, task := range tasks {
		cases = append(append(cases, task.Case), task.More...)
	}
	return cases
}

// Progress is called before each run of a case.
type Progress func(done, all int, what string)

// Execute runs the tasks and writes their measurements: first, alternately, those without Runs of their own, then each
// of the others by itself. The error is a task's, or ctx's; measurements until then are written.
func Execute(ctx context.Context, plan Plan, tasks []Task, run *record.Run, w *record.Writer, progress Progress) error {
	steps := plan.steps(tasks)
	for done, step := range steps {
		progress(done, len(steps), step.what())
		round := &Round{Run: step.run, Window: step.window, task: step.task.Case, started: run.Started}
		err := step.task.Do(ctx, round)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("measure %s: %w", step.task.Case.Key(), err)
		}
		if err := w.Add(round.samples, round.figures); err != nil {
			return fmt.Errorf("write the records: %w", err)
		}
	}
	progress(len(steps), len(steps), "done")
	return nil
}

// step is one run of a task, of that many.
type step struct {
	task      Task
	run, runs int
	window    time.Duration
}

func (s step) what() string {
	if s.run == 0 {
		return s.task.Case.Key() + ", warm-up"
	}
	return fmt.Sprintf("%s, run %d of %d", s.task.Case.Key(), s.run, s.runs)
}

// steps are the runs of all tasks, in order.
func (p Plan) steps(tasks []Task) []step {
	var steps []step
	for n := 0; n <= p.Rounds; n++ {
		window := p.Window
		if n == 0 {
			window = p.WarmUp
		}
		for _, task := range tasks {
			if task.Case.Runs == 0 {
				steps = append(steps, step{task, n, p.Rounds, window})
			}
		}
	}
	for _, task := range tasks {
		for n := 1; n <= task.Case.Runs; n++ {
			steps = append(steps, step{task, n, task.Case.Runs, task.Window})
		}
	}
	return steps
}
