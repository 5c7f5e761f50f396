package app

import (
	"log/slog"
	"path/filepath"

	"edgelens/inference"
	"edgelens/inference/probe"
	"edgelens/inference/runtimes"
	"edgelens/internal/config"
	"edgelens/models"
)

// NewProber returns the prober of new model files, which stores passed ones in the data folder; nil where models are
// loaded without a trial.
func NewProber(c *config.Config, set *runtimes.Set, log *slog.Logger) inference.Prober {
	if !c.Inference.Probe {
		return nil
	}
	var vetted []string
	for _, entry := range models.Builtin().Models {
		vetted = append(vetted, "sha256:"+entry.File.SHA256)
	}
	return probe.New(probe.Config{
		Dir: filepath.Join(c.DataDir, "tried"), Runtime: set.Versions(), Environment: childEnvironment(set), Vetted: vetted, Log: log,
	})
}

// OneTimeProber probes files for commands without a data folder: every time.
func OneTimeProber(set *runtimes.Set) inference.Prober {
	return probe.New(probe.Config{Runtime: set.Versions(), Environment: childEnvironment(set), Log: slog.New(slog.DiscardHandler)})
}
