package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"edgelens"
	"edgelens/benchmarks/load"
	"edgelens/benchmarks/proc"
	"edgelens/benchmarks/record"
	"edgelens/inference"
	"edgelens/models"
)

// ModelSetting is the configuration of a model.
type ModelSetting struct {
	// Runtime is inference.RuntimeTFLite or RuntimeLiteRT; "" and RuntimeAuto choose by the file's operators.
	Runtime string `json:"runtime,omitempty"`
	// Accelerator is inference.AcceleratorGPU, or "" for the CPU.
	Accelerator  string `json:"accelerator,omitempty"`
	Delegate     string `json:"delegate"`
	Threads      int    `json:"threads"`
	Interpreters int    `json:"interpreters"`
	// Variant is VariantFloat32 or VariantInt8 for the model converted to it; empty for the model itself.
	Variant string `json:"form,omitempty"`
	// File is the model's file.
	File string `json:"file"`
}

// The variants that a model may be converted to.
const (
	VariantFloat32 = "float32"
	VariantInt8    = "int8"
)

func (s ModelSetting) options() inference.Options {
	return inference.Options{Threads: s.Threads, Runtime: s.Runtime, Accelerator: s.Accelerator, Delegate: s.Delegate}
}

// name is the name of the case.
func (s ModelSetting) name() string {
	name := fmt.Sprintf("%s, threads %d, interpreters %d", s.Delegate, s.Threads, s.Interpreters)
	if s.Runtime != "" && s.Runtime != inference.RuntimeAuto {
		name = s.Runtime + ", " + name
	}
	if s.Variant != "" {
		name = s.Variant + " form, " + name
	}
	return name
}

// ModelTimes are the figures of TFLite's benchmark_model
// (https://github.com/tensorflow/tensorflow/tree/v2.9.0/tensorflow/lite/tools/benchmark), under its names. All
// interpreters run concurrently.
type ModelTimes struct {
	// Init is the time until every interpreter is built.
	Init time.Duration `json:"init"`
	// FirstInference is that of the slowest interpreter.
	FirstInference time.Duration   `json:"first_inference"`
	Warmup         []time.Duration `json:"warmup"`
	// Inferences are those in the window.
	Inferences []Inference `json:"inferences"`
	// MemoryInit and MemoryOverall are the growth of the process's resident memory, after Init and in total.
	MemoryInit    int64 `json:"memory_init"`
	MemoryOverall int64 `json:"memory_overall"`
	// MemoryFurther is the private memory of one more interpreter, which has run.
	MemoryFurther int64 `json:"memory_further"`
	// Runtime and Version are those of what ran it, and Delegate its delegate.
	Runtime  string `json:"runtime"`
	Version  string `json:"version"`
	Delegate string `json:"delegate"`
	// FileBytes is the size of the model's file.
	FileBytes int64 `json:"file_bytes"`
	// Scores are the dequantized answers to each of the inputs that were asked for.
	Scores [][]float32 `json:"scores,omitempty"`
}

// Inference is one run.
type Inference struct {
	Interpreter int       `json:"interpreter"`
	Begin       time.Time `json:"begin"`
	End         time.Time `json:"end"`
}

// warmUpFor is the duration of the warm-up, as of benchmark_model (--warmup_min_secs).
const warmUpFor = 500 * time.Millisecond

// MeasureModel measures a model in this process, which should have done nothing else: memory that was freed before
// would count as the model's. inputs are tensors to return the scores for; nil for none.
func MeasureModel(ctx context.Context, backend inference.Backend, setting ModelSetting, window time.Duration, inputs []byte) (*ModelTimes, error) {
	before, err := proc.Resident(os.Getpid())
	if err != nil {
		return nil, err
	}
	file, err := os.Stat(setting.File)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	model, err := backend.Open(setting.File, setting.options())
	if err != nil {
		return nil, err
	}
	defer model.Close() // the process ends next
	interpreters := make([]inference.Interpreter, setting.Interpreters)
	for i := range interpreters {
		if interpreters[i], err = newNoisyInterpreter(model); err != nil {
			return nil, err
		}
		defer interpreters[i].Close() // the process ends next
	}
	ran := interpreters[len(interpreters)-1].Delegation()
	times := &ModelTimes{Init: time.Since(start), Runtime: ran.Runtime, Version: ran.Version, Delegate: ran.Delegate, FileBytes: file.Size()}
	after, err := proc.Resident(os.Getpid())
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
	if after, err = proc.Resident(os.Getpid()); err != nil {
		return nil, err
	}
	times.MemoryOverall = after - before
	if times.MemoryFurther, err = memoryOfFurther(model); err != nil {
		return nil, err
	}
	if times.Scores, err = scoresOf(ctx, interpreters[0], inputs); err != nil {
		return nil, err
	}
	return times, ctx.Err()
}

// furtherInterpreters is how many are built to measure one.
const furtherInterpreters = 5

// memoryOfFurther returns the private memory of each interpreter that is added to those of
// the model: the median, because memory that others have freed comes and goes meanwhile.
func memoryOfFurther(model inference.Model) (int64, error) {
	last, err := privateAfterGC()
	if err != nil {
		return 0, err
	}
	var each []int64
	for range furtherInterpreters {
		interpreter, err := newNoisyInterpreter(model)
		if err != nil {
			return 0, err
		}
		defer interpreter.Close() // the process ends next
		if err := interpreter.Invoke(); err != nil {
			return 0, err
		}
		now, err := privateAfterGC()
		if err != nil {
			return 0, err
		}
		each, last = append(each, now-last), now
	}
	slices.Sort(each)
	return each[len(each)/2], nil
}

// privateAfterGC is this process's private memory without what Go no longer needs.
func privateAfterGC() (int64, error) {
	debug.FreeOSMemory()
	return proc.Private(os.Getpid())
}

// scoresOf runs an interpreter on tensors that lie one behind the other.
func scoresOf(ctx context.Context, interpreter inference.Interpreter, inputs []byte) ([][]float32, error) {
	size, output := interpreter.Input().Bytes(), interpreter.Output()
	if len(inputs)%size != 0 {
		return nil, fmt.Errorf("%w: %d bytes of inputs for tensors of %d", edgelens.ErrInvalid, len(inputs), size)
	}
	raw := make([]byte, output.Bytes())
	var all [][]float32
	for ; len(inputs) > 0 && ctx.Err() == nil; inputs = inputs[size:] {
		scores := make([]float32, output.Elements())
		if err := errors.Join(inference.SetInput(interpreter, inputs[:size]), interpreter.Invoke(), interpreter.ReadOutput(raw), output.Dequantize(scores, raw)); err != nil {
			return nil, err
		}
		for _, s := range scores {
			if f := float64(s); math.IsNaN(f) || math.IsInf(f, 0) {
				return nil, fmt.Errorf("%w: it answered with a score that is no number", edgelens.ErrModel)
			}
		}
		all = append(all, scores)
	}
	return all, ctx.Err()
}

// newNoisyInterpreter returns an interpreter with noise in its input.
func newNoisyInterpreter(model inference.Model) (inference.Interpreter, error) {
	interpreter, err := model.NewInterpreter()
	if err != nil {
		return nil, err
	}
	tensor := make([]byte, interpreter.Input().Bytes())
	noise := rand.New(rand.NewPCG(1, 2)) // any bytes are valid in every dtype, and take the same time
	for i := range tensor {
		tensor[i] = byte(noise.Uint32())
	}
	if interpreter.Input().DType == models.Float32 { // but for denormal numbers, which are slow
		for i := 0; i+4 <= len(tensor); i += 4 {
			models.PutFloat32(tensor[i:], 2*noise.Float32()-1)
		}
	}
	if err := inference.SetInput(interpreter, tensor); err != nil {
		return nil, errors.Join(err, interpreter.Close())
	}
	return interpreter, nil
}

func until(ctx context.Context, window time.Duration) func(int, time.Time) bool {
	return func(n int, begin time.Time) bool { return n == 0 || ctx.Err() == nil && time.Since(begin) < window }
}

type invoked struct {
	Inference
	err error
}

// invokeAll runs every interpreter on a goroutine of its own while more returns true.
func invokeAll(interpreters []inference.Interpreter, more func(n int, begin time.Time) bool) []invoked {
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

// ModelRequest is the request to a child process.
type ModelRequest struct {
	ModelSetting
	Window time.Duration `json:"window"`
	// Inputs is a file of input tensors, one behind the other, to return the scores for; "" for none.
	Inputs string `json:"inputs,omitempty"`
}

// MeasureModelForParent is MeasureModel in a child process that Model starts: the request
// comes from in, and the ModelTimes go to out.
func MeasureModelForParent(ctx context.Context, backend inference.Backend, in io.Reader, out io.Writer) error {
	var request ModelRequest
	if err := json.NewDecoder(in).Decode(&request); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if request.Interpreters < 1 {
		return fmt.Errorf("%w: interpreters must be at least 1, not %d", edgelens.ErrInvalid, request.Interpreters)
	}
	var inputs []byte
	if request.Inputs != "" {
		var err error
		if inputs, err = os.ReadFile(request.Inputs); err != nil {
			return fmt.Errorf("read the inputs: %w", err)
		}
	}
	times, err := MeasureModel(ctx, backend, request.ModelSetting, request.Window, inputs)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(times)
}

// MeasureModelInChild runs a command line that calls MeasureModelForParent. What a runtime does to its process is an
// error here.
func MeasureModelInChild(ctx context.Context, child []string, request ModelRequest) (*ModelTimes, error) {
	in, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("measure the model: %w", err)
	}
	command := exec.CommandContext(ctx, child[0], child[1:]...)
	log := &LogTail{}
	command.Stdin, command.Stderr = bytes.NewReader(in), log
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("measure the model: %w: %s", err, log)
	}
	times := &ModelTimes{}
	if err := json.Unmarshal(out, times); err != nil {
		return nil, fmt.Errorf("measure the model: %w", err)
	}
	return times, nil
}

// Model returns a task for each setting. Each is measured in a separate process, by the command line child, which calls
// MeasureModelForParent.
func Model(settings []ModelSetting, child []string) []Task {
	var tasks []Task
	for _, setting := range settings {
		tasks = append(tasks, Task{
			Case: record.Case{Suite: "model", Name: setting.name(), Variant: setting.Variant,
				Mode: record.ModeModel, Runtime: setting.Runtime, Delegate: setting.Delegate, Threads: setting.Threads, Interpreters: setting.Interpreters},
			Do: func(ctx context.Context, round *Round) error {
				times, err := MeasureModelInChild(ctx, child, ModelRequest{ModelSetting: setting, Window: round.Window})
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
	r.Figure(record.FigureInit, times.Init.Seconds())
	r.Figure(record.FigureFirst, times.FirstInference.Seconds())
	r.Figure(record.FigureMemoryInit, float64(times.MemoryInit))
	r.Figure(record.FigureMemoryOverall, float64(times.MemoryOverall))
	r.Figure(record.FigureMemoryFurther, float64(times.MemoryFurther))
	r.Figure(record.FigureFile, float64(times.FileBytes))
	var sum time.Duration
	for _, d := range times.Warmup {
		sum += d
	}
	if n := len(times.Warmup); n > 0 {
		r.Figure(record.FigureWarmup, sum.Seconds()/float64(n))
	}
}
