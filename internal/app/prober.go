package app

import (
	"log/slog"
	"path/filepath"

	"edgelens/inference"
	"edgelens/inference/probe"
	"edgelens/inference/tflite"
	"edgelens/internal/config"
	"edgelens/models"
)

// NewProber returns the prober of new model files, which stores passed ones in the data folder; nil where models are
// loaded without a trial.
func NewProber(c *config.Config, log *slog.Logger) inference.Prober {
	if !c.Inference.Probe {
		return nil
	}
	var vetted []string
	for _, entry := range models.Builtin().Models {
		vetted = append(vetted, "sha256:"+entry.File.SHA256)
	}
	return probe.New(probe.Config{Dir: filepath.Join(c.DataDir, "tried"), Runtime: tflite.New().Version(), Vetted: vetted, Log: log})
}

// OneTimeProber probes files for commands without a data folder: every time.
func OneTimeProber() inference.Prober {
	return probe.New(probe.Config{Runtime: tflite.New().Version(), Log: slog.New(slog.DiscardHandler)})
}
