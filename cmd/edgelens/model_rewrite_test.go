//go:build cgo

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

func TestRewriteCommands(t *testing.T) {
	legacy := file(t, "legacy.tflite", modeltest.Network(tflitefile.Uint8))
	for _, command := range []string{"requantize", "dequantize"} {
		t.Run(command, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.tflite")
			if status, _, err := runCommand(t, nil, "model", command, legacy, out); status != 0 {
				t.Fatal(err)
			}
			if status, _, err := runCommand(t, nil, "model", "inspect", out); status != 0 {
				t.Error(err)
			}
			if status, _, err := runCommand(t, nil, "model", command, legacy, out); status != 1 || !strings.Contains(err, "--force") {
				t.Errorf("OUT is there: status %d, %s", status, err)
			}
			if status, _, err := runCommand(t, nil, "model", command, "--force", legacy, out); status != 0 {
				t.Error(err)
			}
			other := file(t, "other.tflite", modeltest.Network(tflitefile.Float32))
			if status, _, err := runCommand(t, nil, "model", command, other, filepath.Join(t.TempDir(), "x.tflite")); status != 1 || !strings.Contains(err, "nothing to") {
				t.Errorf("float32: status %d, %s", status, err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".new-*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
