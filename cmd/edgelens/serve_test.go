//go:build cgo

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// serve --pull fetches the default model, and does not change a model of the user's own.
func TestServePulls(t *testing.T) {
	supervisetest.FindRedis(t)
	model := modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
	manifest := fmt.Sprintf("models:\n- {name: tiny, file: tiny.tflite, sha256: %x, size: %d, task: classification}\n", sha256.Sum256(model), len(model))
	for name, c := range map[string]struct {
		mirror, dir map[string]string // the files in them
		model       string
		logs        []string
		silentOn    string
		status      int
	}{
		"from the mirror":        {mirror: map[string]string{"tiny.tflite": string(model)}, dir: map[string]string{"manifest.yaml": manifest}, model: "tiny", logs: []string{"tiny: fetching tiny.tflite", "msg=ready model=tiny"}, silentOn: "WARN"},
		"there already":          {dir: map[string]string{"manifest.yaml": manifest, "tiny.tflite": string(model)}, model: "tiny", logs: []string{"tiny.tflite is there already", "msg=ready model=tiny"}, silentOn: "WARN"},
		"the user's own":         {dir: map[string]string{"mine.tflite": string(model)}, model: "mine", logs: []string{"msg=ready model=mine"}, silentOn: "fetch"},
		"nowhere to be had":      {dir: map[string]string{"manifest.yaml": manifest}, model: "tiny", logs: []string{"fetching the default model failed", "edgelens: the default model cannot serve"}, status: 1},
		"the manifest is broken": {dir: map[string]string{"manifest.yaml": "models: 3\n"}, logs: []string{"fetching the default model failed", "edgelens: "}, status: 1},
	} {
		t.Run(name, func(t *testing.T) {
			folders := []string{t.TempDir(), t.TempDir()}
			for n, files := range []map[string]string{c.mirror, c.dir} {
				for file, text := range files {
					if err := os.WriteFile(filepath.Join(folders[n], file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			environ := []string{"EDGELENS_DATA_DIR=" + t.TempDir(), "EDGELENS_LISTEN=127.0.0.1:0", "EDGELENS_MQTT_LISTEN=",
				"EDGELENS_MODEL_MIRROR=" + folders[0], "EDGELENS_MODELS_DIR=" + folders[1], "EDGELENS_MODEL=" + c.model}
			ctx, cancel := context.WithCancel(t.Context())
			log, ended := &testutil.LogBuffer{}, make(chan int, 1)
			go func() { ended <- execute(ctx, []string{"serve", "--pull"}, environ, io.Discard, log) }()
			for _, words := range c.logs {
				testutil.Eventually(t, words, func() bool { return strings.Contains(log.String(), words) })
			}
			cancel()
			if status := <-ended; status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			if c.silentOn != "" && strings.Contains(log.String(), c.silentOn) {
				t.Errorf("%q in\n%s", c.silentOn, log)
			}
		})
	}
}
