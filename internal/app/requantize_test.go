//go:build cgo

package app

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/config"
	"edgelens/internal/telemetry"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// describeLegacy loads the legacy model as in a new process.
func describeLegacy(t *testing.T, c *config.Config) (*models.Spec, string) {
	t.Helper()
	var log bytes.Buffer
	core, err := NewCore(c, telemetry.NewLogger(c.Log, io.MultiWriter(&log, io.Discard)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	spec, err := core.Loader.Describe(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range core.Loader.List() {
		if m.Name == "legacy" && (m.Digest != spec.Digest || m.RequantizedFrom != spec.RequantizedFrom) {
			t.Errorf("listed with digest %s from %q", m.Digest, m.RequantizedFrom)
		}
	}
	if err := CloseWithin(StopTimeout, core.Close); err != nil {
		t.Error(err)
	}
	return spec, log.String()
}

func legacySettings(t *testing.T) *config.Config {
	t.Helper()
	c := settings(t)
	put(t, c, "legacy.tflite", modeltest.Network(tflitefile.Uint8))
	put(t, c, "legacy.txt", []byte("one\ntwo\nthree\n"))
	c.Model, c.Inference.Requantize = "legacy", true
	return c
}

func TestRequantizeAtLoad(t *testing.T) {
	c := legacySettings(t)
	c.Inference.Requantize = false
	plain, _ := describeLegacy(t, c)
	c.Inference.Requantize = true
	first, log := describeLegacy(t, c)
	if plain.RequantizedFrom != "" || plain.Delegate != "xnnpack" {
		t.Errorf("without the setting: from %q, delegate %s", plain.RequantizedFrom, plain.Delegate)
	}
	if first.RequantizedFrom != plain.Digest || first.Digest == plain.Digest || first.Delegate != "xnnpack" || !strings.Contains(log, "model requantized") {
		t.Errorf("from %q, digest %s, delegate %s\n%s", first.RequantizedFrom, first.Digest, first.Delegate, log)
	}
	again, log := describeLegacy(t, c)
	if again.Digest != first.Digest || strings.Contains(log, "model requantized") {
		t.Errorf("made again: %s, not %s\n%s", again.Digest, first.Digest, log)
	}
	if err := os.WriteFile(first.Path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if repaired, _ := describeLegacy(t, c); repaired.Digest != first.Digest || repaired.Path != first.Path {
		t.Errorf("after damage: %s at %s", repaired.Digest, repaired.Path)
	}
}

// The result of an earlier check is stored.
func TestRequantizeRefusedBefore(t *testing.T) {
	c := legacySettings(t)
	first, _ := describeLegacy(t, c)
	if err := os.Remove(first.Path); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(filepath.Dir(first.Path), strings.TrimPrefix(first.RequantizedFrom, "sha256:")+".v1."+strings.ReplaceAll(strings.ReplaceAll(NewRuntimes(c).Versions(), ", ", "+"), " ", "-")+".refused")
	if err := os.WriteFile(note, []byte("it answers otherwise"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec, log := describeLegacy(t, c)
	if spec.RequantizedFrom != "" || spec.Delegate != "xnnpack" || !strings.Contains(log, "it answers otherwise") {
		t.Errorf("from %q, delegate %s\n%s", spec.RequantizedFrom, spec.Delegate, log)
	}
}
