package runner

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"edgelens/benchmarks/suite"
	"edgelens/inference"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
)

// triedModel returns the model to be measured, after a trial; an error has the command that fetches it.
func triedModel(ctx context.Context, c *config.Config) (models.Model, error) {
	registry, err := app.OpenModels(c)
	if err != nil {
		return models.Model{}, err
	}
	model, err := registry.Get(c.Model)
	if err != nil {
		return models.Model{}, err
	}
	if prober := app.NewProber(c, app.NewRuntimes(c), slog.New(slog.DiscardHandler)); prober != nil {
		err = prober.Probe(ctx, model, c.Inference.Options(model), c.Inference.Pool())
	}
	return model, err
}

// ChildCommand is the command of this program that calls suite.MeasureModelForParent.
var ChildCommand = []string{"bench", "model-child"}

// ChildFolderFlag is its flag for the folder where LiteRT may be.
const ChildFolderFlag = "litert-folder"

// childCommand is the command line that measures a model in a process of its own.
func childCommand(c *config.Config) ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	folder, err := filepath.Abs(app.RuntimeFolder(c))
	if err != nil {
		return nil, fmt.Errorf("find LiteRT: %w", err)
	}
	return append(append([]string{program}, ChildCommand...), "--"+ChildFolderFlag, folder), nil
}

func (r *run) modelTasks(ctx context.Context) ([]suite.Task, error) {
	model, err := triedModel(ctx, r.config.Settings)
	if err != nil {
		return nil, err
	}
	child, err := childCommand(r.config.Settings)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "edgelens-models-*")
	if err != nil {
		return nil, err
	}
	r.ends = append(r.ends, func() error { return os.RemoveAll(dir) })
	if model.BuiltIn { // this process alone has its file
		if model.Path, err = copyTo(dir, model.Path); err != nil {
			return nil, err
		}
	}
	settings := fitting(r.config.Runtimes, r.config.Delegates, r.config.Threads, r.config.Interpreters, runtime.NumCPU())
	for i := range settings {
		settings[i].File = model.Path
	}
	variants, err := variantSettings(model.Path, dir)
	if err != nil {
		return nil, err
	}
	for _, name := range r.config.Runtimes {
		for _, variant := range variants {
			variant.Runtime = name
			settings = append(settings, variant)
		}
	}
	return suite.Model(settings, child), nil
}

// fitting returns the settings that fit on the cores.
func fitting(runtimes, delegates []string, threads, interpreters []int, cores int) []suite.ModelSetting {
	var settings []suite.ModelSetting
	for _, name := range runtimes {
		for _, delegate := range delegates {
			for _, t := range threads {
				for _, i := range interpreters {
					if t*i <= max(cores, 1) {
						settings = append(settings, suite.ModelSetting{Runtime: name, Delegate: delegate, Threads: t, Interpreters: i})
					}
				}
			}
		}
	}
	return settings
}

// copyTo copies a model file into a folder.
func copyTo(dir, file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "model.tflite")
	return path, os.WriteFile(path, data, 0o600)
}

// variantSettings converts the model in a file to its possible variants, in the folder dir, and returns how to measure
// them.
func variantSettings(file, dir string) ([]suite.ModelSetting, error) {
	m, err := models.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var settings []suite.ModelSetting
	for _, variant := range []struct {
		name    string
		rewrite func(*tflitefile.Model) (*tflitefile.Model, error)
	}{{suite.VariantFloat32, rewrite.Dequantize}, {suite.VariantInt8, rewrite.Requantize}} {
		rewritten, err := variant.rewrite(m)
		if err != nil {
			continue // it is that variant already, or cannot be converted
		}
		data, err := rewritten.Write()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, variant.name+".tflite")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return nil, err
		}
		settings = append(settings, suite.ModelSetting{Delegate: inference.DelegateAuto, Threads: 1, Interpreters: 1, Variant: variant.name, File: path})
	}
	return settings, nil
}

func (r *run) pipelineTasks(ctx context.Context) ([]suite.Task, error) {
	model, err := triedModel(ctx, r.config.Settings)
	if err != nil {
		return nil, err
	}
	cores := r.config.Settings.Inference.InterpretersOrCores()
	return suite.PipelineTasks(r.images, cores, !r.config.NoStages, r.pipeline(model)), nil
}

// pipeline is that of the settings with a model.
func (r *run) pipeline(model models.Model) suite.PipelineConfig {
	c := r.config.Settings
	return suite.PipelineConfig{
		Backend: app.NewRuntimes(c), Options: inference.Options{Threads: c.Inference.Threads, Runtime: c.Inference.Runtime, Delegate: c.Inference.Delegate},
		Model: model, Preprocess: c.Preprocess,
	}
}
