//go:build cgo

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/inference/probe"
	"edgelens/inference/tflite"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// This test binary is also the child process that tries models.
func TestMain(m *testing.M) {
	probe.Main(tflite.New())
	os.Exit(m.Run())
}

func file(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRequantizeReports(t *testing.T) {
	model := file(t, "tiny.tflite", modeltest.Network(tflitefile.Uint8))
	image := file(t, "red.png", modeltest.Image(modeltest.Red, 64, 64))
	report := func(args ...string) (string, error) {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), append([]string{model, "--images", image, "--variants", "2", "--invokes", "3"}, args...), &stdout, &stderr)
		return stdout.String(), err
	}
	text, err := report("--int8", model)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Images: red.png, 2 variants each", "| tiny | mild | 2 |", "| tiny | strong | 2 |", "tiny, int8 from the start"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	if text, err := report("--floor", "tiny "+image+" 0 1"); err == nil || !strings.Contains(err.Error(), "it must be over 1") || text != "" {
		t.Errorf("a floor that is missed: %v, %s", err, text)
	}
}

func TestRequantizeRejects(t *testing.T) {
	model := file(t, "tiny.tflite", modeltest.Network(tflitefile.Uint8))
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no model":              {nil, "at least one .tflite file"},
		"a missing model":       {[]string{"/no/such.tflite"}, "/no/such.tflite"},
		"a missing image":       {[]string{model, "--images", "/no/such.jpg"}, "/no/such.jpg"},
		"an image that is none": {[]string{model, "--images", model}, "decode"},
		"an unknown flag":       {[]string{model, "--fast"}, "--fast"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "report.md")
			err := run(t.Context(), append(test.args, "--invokes", "1", "--out", out), io.Discard, io.Discard)
			if _, missing := os.Stat(out); err == nil || !strings.Contains(err.Error(), test.want) || missing == nil {
				t.Errorf("%v, and %v", err, missing)
			}
		})
	}
}
