package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/suite"
	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/internal/config"
	"edgelens/models"
	"edgelens/preprocess"
)

// newBenchChild measures a model in a process that does nothing else, for
// bench, and writes JSON to its standard output.
func newBenchChild(environ []string) *cobra.Command {
	var setting suite.ModelSetting
	var window time.Duration
	var file string
	cmd := &cobra.Command{
		Use:    "model-child",
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			if file == "" {
				model, err := benchModel(cmd.Context(), c)
				if err != nil {
					return err
				}
				file = model.Path
			}
			open := func(s suite.ModelSetting) (suite.Opened, error) { return openBenchModel(file, s) }
			times, err := suite.MeasureModel(cmd.Context(), open, setting, window, os.Getpid())
			if err != nil {
				return err
			}
			info, err := os.Stat(file)
			if err != nil {
				return err
			}
			times.FileBytes = info.Size()
			return json.NewEncoder(cmd.OutOrStdout()).Encode(times)
		},
	}
	cmd.Flags().StringVar(&setting.Delegate, "delegate", inference.DelegateAuto, "")
	cmd.Flags().IntVar(&setting.Threads, "threads", 1, "")
	cmd.Flags().IntVar(&setting.Interpreters, "interpreters", 1, "")
	cmd.Flags().DurationVar(&window, "window", time.Second, "")
	cmd.Flags().StringVar(&file, "file", "", "")
	config.AddFlags(cmd.Flags(), "data_dir", "model")
	return cmd
}

// measureInChild starts the child.
func (b *bencher) measureInChild(ctx context.Context, setting suite.ModelSetting, window time.Duration) (*suite.ModelTimes, error) {
	program, err := benchProgram()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	args := []string{"bench", "model-child", "--models-dir=" + b.config.ModelsDir, "--model=" + b.config.Model, "--delegate=" + setting.Delegate,
		fmt.Sprintf("--threads=%d", setting.Threads), fmt.Sprintf("--interpreters=%d", setting.Interpreters), fmt.Sprintf("--window=%v", window)}
	if setting.Form != "" {
		args = append(args, "--file="+b.forms[setting.Form])
	}
	command := exec.CommandContext(ctx, program, args...)
	log := &lastWords{}
	command.Stderr = log
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("measure the model: %w: %s", err, log)
	}
	times := &suite.ModelTimes{}
	if err := json.Unmarshal(out, times); err != nil {
		return nil, fmt.Errorf("measure the model: %w", err)
	}
	return times, nil
}

// benchOpened fits a model into the port of the benchmarks.
type benchOpened struct {
	model    inference.Model
	delegate string // of the last interpreter
}

func openBenchModel(path string, s suite.ModelSetting) (suite.Opened, error) {
	model, err := tflite.New().Open(path, inference.Options{Threads: s.Threads, Delegate: s.Delegate})
	if err != nil {
		return nil, err
	}
	return &benchOpened{model: model}, nil
}

func (o *benchOpened) NewInterpreter() (suite.Interpreter, error) {
	interpreter, err := o.model.NewInterpreter()
	if err != nil {
		return nil, err
	}
	o.delegate = interpreter.Delegate()
	tensor := make([]byte, interpreter.Input().Bytes())
	noise := rand.New(rand.NewPCG(1, 2)) // bytes are valid in every dtype: what they mean is the same work
	for i := range tensor {
		tensor[i] = byte(noise.Uint32())
	}
	if interpreter.Input().DType == models.Float32 { // but for denormal numbers, which are slow
		for i := 0; i+4 <= len(tensor); i += 4 {
			models.PutFloat32(tensor[i:], 2*noise.Float32()-1)
		}
	}
	if err := interpreter.SetInput(tensor); err != nil {
		return nil, errors.Join(err, interpreter.Close())
	}
	return interpreter, nil
}

func (o *benchOpened) Delegate() string { return o.delegate }
func (o *benchOpened) Close() error     { return o.model.Close() }

// benchPipeline is the way of an image without the service, for one core.
type benchPipeline struct {
	preprocessor *preprocess.Preprocessor
	model        inference.Model
	interpreter  inference.Interpreter
	input        models.InputSpec
	tensor, out  []byte
}

func (b *bencher) pipelineTasks(ctx context.Context) ([]suite.Task, error) {
	model, err := benchModel(ctx, b.config)
	if err != nil {
		return nil, err
	}
	open := func() (suite.Pipeline, error) { return openPipeline(b.config, model) }
	cores := b.config.Inference.InterpretersOrCores()
	return suite.PipelineTasks(b.images, cores, !b.flags.noStages, open), nil
}

func openPipeline(c *config.Config, model models.Model) (_ *benchPipeline, err error) {
	p := &benchPipeline{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.preprocessor, err = preprocess.New(c.Preprocess); err != nil {
		return nil, err
	}
	if p.model, err = tflite.New().Open(model.Path, inference.Options{Threads: c.Inference.Threads, Delegate: c.Inference.Delegate}); err != nil {
		return nil, err
	}
	if p.interpreter, err = p.model.NewInterpreter(); err != nil {
		return nil, err
	}
	if p.input, err = model.NewInput(p.interpreter.Input()); err != nil {
		return nil, err
	}
	p.tensor, p.out = make([]byte, p.input.Bytes()), make([]byte, p.interpreter.Output().Bytes())
	return p, nil
}

// Run implements suite.Pipeline.
func (p *benchPipeline) Run(image []byte) ([]suite.Stage, error) {
	_, took, err := p.preprocessor.Tensor(p.tensor, image, p.input)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	for _, step := range []func() error{
		func() error { return p.interpreter.SetInput(p.tensor) },
		p.interpreter.Invoke,
		func() error { return p.interpreter.ReadOutput(p.out) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return []suite.Stage{{Name: suite.Stages[0], Took: took.Decode}, {Name: suite.Stages[1], Took: took.Preprocess}, {Name: suite.Stages[2], Took: time.Since(start)}}, nil
}

// Close implements suite.Pipeline.
func (p *benchPipeline) Close() error {
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
