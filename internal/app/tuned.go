package app

import (
	"fmt"
	"log/slog"
	"strings"

	"edgelens/inference"
	"edgelens/inference/runtimes"
	"edgelens/internal/board"
	"edgelens/internal/config"
	"edgelens/internal/tuned"
)

// TunedIdentity is what measurements of a model on this machine are valid for.
func TunedIdentity(set *runtimes.Set, digest string) tuned.Identity {
	facts := board.Prober{Root: "/"}.Facts()
	return tuned.Identity{Board: facts.Model, Processor: facts.CPU, Features: facts.Features, Architecture: facts.Architecture, Cores: facts.Cores,
		Model: digest, Runtimes: set.Versions()}
}

// TunedSettings are the settings of c that tuning varies, as they take effect for a model; runtime is the one that its
// manifest asks for, "" for none.
func TunedSettings(c inference.Config, runtime string) tuned.Settings {
	if runtime == "" {
		runtime = c.Runtime
	}
	if runtime == inference.RuntimeTFLite {
		runtime = inference.RuntimeAuto // the same for a model that TensorFlow Lite has the operators of
	}
	return tuned.Settings{Runtime: runtime, Delegate: c.Delegate, Threads: c.Threads, Interpreters: c.InterpretersOrCores(), Requantize: c.Requantize,
		Accelerators: strings.Join(c.Accelerators, ",")}
}

// adviseTuned logs one line where `edgelens bench tune` found better settings for this machine than those of c.
func adviseTuned(c *config.Config, core *Core, log *slog.Logger) {
	model, err := core.Registry.Get("")
	if err != nil {
		return // loading it reports the error
	}
	found, err := tuned.Read(c.DataDir)
	if err != nil {
		if !tuned.IsMissing(err) {
			log.Warn("the settings that were found by bench tune cannot be read; run it again, or remove the file", "event", "tuned_settings_unreadable",
				"file", tuned.FileName, "error", err)
		}
		return
	}
	advice := found.Advice(TunedIdentity(core.runtimes, model.Digest), TunedSettings(c.Inference, model.Runtime))
	if advice == nil {
		return
	}
	log.Info("bench tune measured better settings for this board than those in use", "event", "tuned_settings_not_in_use",
		"set", advice, "goal", found.Goal, "gain", fmt.Sprintf("%.0f%%", 100*found.Gain()), "best", found.Best.Score, "before", found.Before.Score, "measured", found.At)
}
