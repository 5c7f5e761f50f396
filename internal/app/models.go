package app

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/requantize"
	"edgelens/inference/runtimes"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
	"edgelens/learn/head"
	headmodels "edgelens/learn/serving"
	"edgelens/models"
	"edgelens/models/rewrite"
)

// IsModelFile reports whether an argument of a command is the path of a model file, not the name of a model.
func IsModelFile(arg string) bool {
	return filepath.Ext(arg) == ".tflite" || strings.ContainsRune(arg, filepath.Separator)
}

// DescribeModel loads a model, the default one for "", and returns its description, with what is known about its kernels.
func DescribeModel(ctx context.Context, c *config.Config, name string) (*models.Spec, edgelens.KernelCheck, error) {
	c.Inference.Interpreters = 1
	core, err := NewCore(c, telemetry.NewLogger(c.Log, io.Discard), prometheus.NewRegistry())
	if err != nil {
		return nil, edgelens.KernelCheck{}, err
	}
	defer CloseWithin(StopTimeout, core.Close) // the process ends next
	spec, err := core.Models.Describe(ctx, name)
	if err != nil {
		return nil, edgelens.KernelCheck{}, err
	}
	return spec, core.Loader.Checks()[spec.Name], nil
}

// VerifyModel returns why a model, given by name or file, cannot be used; nil where it can.
func VerifyModel(ctx context.Context, c *config.Config, arg string) error {
	if IsModelFile(arg) {
		return verifyFile(ctx, c, arg)
	}
	registry, err := OpenModels(c)
	if err != nil {
		return err
	}
	model, err := registry.Get(arg)
	if err != nil {
		return err
	}
	if model.BuiltIn {
		return nil // it is part of this binary
	}
	return verifyFile(ctx, c, model.Path)
}

// verifyFile returns why a .tflite file cannot be used.
func verifyFile(ctx context.Context, c *config.Config, path string) error {
	m, err := models.ReadFile(path)
	if err != nil {
		return err
	}
	if err := models.CheckTensors(m.Facts()); err != nil {
		return err
	}
	return requantize.TryFile(ctx, OneTimeProber(NewRuntimes(c)), path, "", oneInterpreter())
}

// oneInterpreter is the configuration with which commands run a file.
func oneInterpreter() inference.Config {
	c := inference.DefaultConfig()
	c.Interpreters = 1
	return c
}

// CompareRequantized compares a model file, whose task is given, with its int8 variant in another. The error
// wraps edgelens.ErrModel where that must not replace it.
func CompareRequantized(ctx context.Context, task, original, requantized string) (rewrite.Agreement, error) {
	set := runtimes.New(runtimes.Config{})
	comparison := requantize.Comparison{Backend: set, Prober: OneTimeProber(set), Config: oneInterpreter()}
	return comparison.Compare(ctx, task, original, requantized)
}

// noteHidden notes that the file of that name hides a head, unless there is a worse problem.
func noteHidden(list []models.Listed, name string) {
	for i := range list {
		if list[i].Name == name && list[i].Problem == "" {
			list[i].Problem = headmodels.Hidden
		}
	}
}

// ListModels returns the models of the folder, the built-in one, and the heads.
func ListModels(c *config.Config) ([]models.Listed, error) {
	registry, err := OpenModels(c)
	if err != nil {
		return nil, err
	}
	list, stored := registry.List(), openHeads(c)
	for _, name := range stored.Names() {
		h, err := stored.Live(name)
		if errors.Is(err, edgelens.ErrUnknownModel) {
			continue // there are only candidates
		}
		if registry.Has(name) {
			noteHidden(list, name)
			continue
		}
		l := models.Listed{Model: models.Model{ModelRef: edgelens.ModelRef{Name: name}, Task: edgelens.TaskClassification}, State: edgelens.ModelAvailable, Default: name == registry.Default()}
		if err == nil {
			l.Digest, err = h.Digest()
		}
		if err == nil {
			l.Labels, l.FileBytes = append(append(l.Labels, h.Labels...), head.Unknown), int64(8*len(h.Params.Values))
			_, err = registry.Get(h.Extractor.Name)
		}
		if err != nil {
			l.State, l.Problem = edgelens.ModelFailed, err.Error()
		}
		list = append(list, l)
	}
	return list, nil
}
