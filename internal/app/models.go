package app

import (
	"context"
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
	spec, err := core.Loader.Describe(ctx, name)
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
