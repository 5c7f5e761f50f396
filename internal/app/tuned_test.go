//go:build cgo

package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/inference"
	"edgelens/internal/config"
	"edgelens/internal/tuned"
)

// A service logs one line where better settings were measured for this machine, and none where that holds no longer.
func TestTunedSettingsNotInUse(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*tuned.Result)
		raw    string // the file's content, if not ""
		want   string // of the log, "" for neither line
	}{
		"better":            {nil, "", "event=tuned_settings_not_in_use"},
		"in use":            {func(r *tuned.Result) { r.Best = r.Before }, "", ""},
		"another board":     {func(r *tuned.Result) { r.Board = "another" }, "", ""},
		"another model":     {func(r *tuned.Result) { r.Model = "sha256:0" }, "", ""},
		"another runtime":   {func(r *tuned.Result) { r.Runtimes = "tflite 2.9.0" }, "", ""},
		"damaged":           {nil, "{", "event=tuned_settings_unreadable"},
		"of another format": {nil, `{"format": 99}`, "event=tuned_settings_unreadable"},
		"none":              {nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			own := settings(t)
			withColors(t, own)
			writeTuned(t, own, name, c.raw, c.change)
			_, log, stop := serving(t, own)
			if err := stop(); err != nil { // all lines are written then
				t.Error(err)
			}
			lines := strings.Count(log.String(), "event=tuned_settings")
			if c.want == "" && lines != 0 || c.want != "" && (lines != 1 || !strings.Contains(log.String(), c.want)) {
				t.Errorf("%d lines, want %q:\n%s", lines, c.want, log)
			}
			if name == "better" && !strings.Contains(log.String(), "inference.delegate: none") {
				t.Errorf("the settings to set are missing:\n%s", log)
			}
		})
	}
}

// writeTuned stores a measurement of this machine with config's model, of which change alters something.
func writeTuned(t *testing.T, c *config.Config, name, raw string, change func(*tuned.Result)) {
	t.Helper()
	if name == "none" {
		return
	}
	if raw != "" {
		if err := os.WriteFile(filepath.Join(c.DataDir, tuned.FileName), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	registry, err := OpenModels(c)
	if err != nil {
		t.Fatal(err)
	}
	model, err := registry.Get("")
	if err != nil {
		t.Fatal(err)
	}
	before := TunedSettings(c.Inference, model.Runtime)
	best := before
	best.Delegate = inference.DelegateNone
	r := tuned.Result{Identity: TunedIdentity(NewRuntimes(c), model.Digest), Goal: "latency",
		Best: tuned.Measured{Settings: best, Score: -5}, Before: tuned.Measured{Settings: before, Score: -10}}
	if change != nil {
		change(&r)
	}
	if err := tuned.Write(c.DataDir, r); err != nil {
		t.Fatal(err)
	}
}
