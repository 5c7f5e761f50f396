package app

import (
	"context"
	"os"
	"slices"
	"time"

	"edgelens/internal/config"
)

// Reload is how a running server reads its settings again.
type Reload struct {
	// Signals delivers a value for each time that it is to be done; nil for never.
	Signals <-chan os.Signal
	// Load reads the settings again.
	Load func() (*config.Config, error)
	// Look is how often the models folder is looked at without a signal; 0 means modelsInterval.
	Look time.Duration
}

// reloadable are the settings that take effect without a restart.
var reloadable = []string{"log_level", "model", "states.list"}

// run reads the settings and the models folder again at each signal, until ctx ends.
func (r Reload) run(ctx context.Context, s *node) {
	for {
		select {
		case <-r.Signals:
			s.reload(ctx, r.Load)
		case <-ctx.Done():
			return
		}
	}
}

// reload takes up what can change while the service runs, and logs what cannot.
func (s *node) reload(ctx context.Context, load func() (*config.Config, error)) {
	defer s.manager.Reloading()()
	next, err := load()
	if err != nil {
		s.log.Error("the settings are not reloaded: they have errors", "event", "reload_failed", "error", err)
		s.models.takeUp(ctx)
		return
	}
	now := *s.inForce.Load()
	var applied, restart []string
	for _, key := range now.Differences(next) {
		if slices.Contains(reloadable, key) {
			applied = append(applied, key)
		} else {
			restart = append(restart, key)
		}
	}
	if slices.Contains(applied, "log_level") {
		now.Log.SetLevel(next.Log.LogLevel)
	}
	if slices.Contains(applied, "model") {
		s.models.choose(ctx, next.Model)
		now.Model = next.Model
	}
	if slices.Contains(applied, "states.list") {
		if err := s.states.reload(next); err != nil { // the settings are valid each by itself
			s.log.Error("the states are not reloaded", "event", "reload_failed", "error", err)
		} else {
			now.States = next.States
		}
	}
	s.inForce.Store(&now)
	s.models.takeUp(ctx)
	s.log.Info("settings reloaded; certificates, keys and models are followed without it", "event", "reloaded", "changed", applied)
	if len(restart) > 0 {
		s.log.Warn("settings have changed that take effect at the next start", "event", "reload_needs_restart", "settings", restart)
	}
}
