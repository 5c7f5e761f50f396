package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/probe"
	"edgelens/inference/tflite"
	"edgelens/internal/config"
	"edgelens/models"
)

// newProber returns what tries new model files, and remembers what passed in the
// data folder; nil where models are loaded untried.
func newProber(c *config.Config, log *slog.Logger) inference.Prober {
	if !c.Inference.Probe {
		return nil
	}
	var vetted []string
	for _, entry := range models.Builtin().Models {
		vetted = append(vetted, "sha256:"+entry.File.SHA256)
	}
	return probe.New(probe.Config{Dir: filepath.Join(c.DataDir, "tried"), Runtime: tflite.New().Version(), Vetted: vetted, Log: log})
}

// tryFile has a file that may be anything tried, unless prober is nil.
func tryFile(ctx context.Context, prober inference.Prober, path, digest string, c inference.Config) error {
	if prober == nil {
		return nil
	}
	return prober.Probe(ctx, models.Model{ModelRef: edgelens.ModelRef{Name: filepath.Base(path), Digest: digest}, Path: path}, c)
}

// untold tries files of commands that have no data folder: every time.
func untold() inference.Prober {
	return probe.New(probe.Config{Runtime: tflite.New().Version(), Log: slog.New(slog.DiscardHandler)})
}
