//go:build cgo

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"edgelens/models"
	"edgelens/models/modeltest"
)

func colorsEnvironment(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "models"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "models", "colors.tflite"), colorsModel(), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"EDGELENS_DATA_DIR=" + dir, "EDGELENS_MODEL=colors"}
}

func colorsModel() []byte {
	return modeltest.Mean(modeltest.Options{Side: 32, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
}

func TestRecognizeCommand(t *testing.T) {
	environ := colorsEnvironment(t)
	red := file(t, "red.png", modeltest.Image(modeltest.Red, 20, 20))
	blue := file(t, "blue.png", modeltest.Image(modeltest.Blue, 20, 20))
	text := file(t, "notes.txt", []byte("no image"))

	t.Run("table", func(t *testing.T) {
		status, out, err := runCommand(t, environ, "recognize", "--top-k", "1", red, blue)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if status != 0 || err != "" || len(lines) != 3 || !strings.Contains(lines[1], "red  ") || !strings.Contains(lines[2], "blue  ") {
			t.Errorf("status %d\n%s%s", status, out, err)
		}
	})
	t.Run("json", func(t *testing.T) {
		status, out, _ := runCommand(t, environ, "recognize", "--json", red, text)
		if status != 1 {
			t.Errorf("status %d with a file that is no image, want 1", status)
		}
		decoder := json.NewDecoder(strings.NewReader(out))
		var first, second jsonLine
		if err := decoder.Decode(&first); err != nil {
			t.Fatal(err)
		}
		if err := decoder.Decode(&second); err != nil {
			t.Fatal(err)
		}
		if first.File != red || first.Predictions[0].Label != "red" || first.Error != "" {
			t.Errorf("%+v", first)
		}
		if second.File != text || second.Code != "unsupported_format" || second.Error == "" {
			t.Errorf("%+v", second)
		}
	})
	t.Run("fit and region", func(t *testing.T) {
		status, out, err := runCommand(t, environ, "recognize", "--json", "--fit", "stretch", "--region", "0,0,0.5,1", red)
		if status != 0 || !strings.Contains(out, `"label":"red"`) {
			t.Errorf("status %d\n%s%s", status, out, err)
		}
	})
	for name, args := range map[string][]string{
		"missing file":  {"recognize", "/no/such/file.jpg"},
		"not an image":  {"recognize", text},
		"a folder":      {"recognize", t.TempDir()},
		"no file":       {"recognize"},
		"bad top-k":     {"recognize", "--top-k", "0", red},
		"unknown fit":   {"recognize", "--fit", "crop", red},
		"bad region":    {"recognize", "--region", "0,0,1", red},
		"unknown model": {"recognize", "--model", "nope", red},
		"unknown flag":  {"recognize", "--no-such-flag", red},
	} {
		t.Run(name, func(t *testing.T) {
			if status, out, err := runCommand(t, environ, args...); status == 0 || err == "" {
				t.Errorf("status %d, stdout %q, stderr %q", status, out, err)
			}
		})
	}
}

// The command line does the same, even if the data folder cannot be created.
func TestStandInCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "red.png")
	if err := os.WriteFile(file, modeltest.Image(modeltest.Red, 320, 240), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"EDGELENS_DATA_DIR=/proc/none"}
	var out, log strings.Builder
	status := execute(context.Background(), []string{"recognize", "--json", file}, environ, &out, &log)
	if status == 0 || strings.Contains(out.String(), "label") || !strings.Contains(log.String(), "edgelens model pull") {
		t.Errorf("status %d, %s%s", status, &out, &log)
	}
	out.Reset()
	log.Reset()
	status = execute(context.Background(), []string{"recognize", "--json", "--recognize-allow-stand-in=true", file}, environ, &out, &log)
	if status != 0 || !strings.Contains(out.String(), `"label":"blank"`) || !strings.Contains(out.String(), `"warnings":[`) || !strings.Contains(log.String(), "red.png: warning: There is no classifier") {
		t.Errorf("status %d, %s%s", status, &out, &log)
	}
}

// Invalid views are refused before a file is read, or a server is asked.
func TestInvalidViewFlags(t *testing.T) {
	for _, command := range [][]string{{"recognize"}, {"job", "submit", "--server", "http://127.0.0.1:1"}} {
		for flag, values := range map[string][]string{
			"--fit":    {"crop", "CENTER", "center,pad", "1"},
			"--region": {"NaN,0,1,1", "0,0,Inf,1", "-0.1,0,1,1", "0,0,0,0", "0,0,1e9,1", "0,0,1", "[0,0,1,1]", "left"},
		} {
			for _, value := range values {
				status, out, text := runCommand(t, nil, append(command, flag+"="+value, "/no/such/file.jpg")...)
				if status != 2 || out != "" || !strings.Contains(text, flag) || strings.Contains(text, "no such file") || strings.Contains(text, "--server") {
					t.Errorf("%v %s=%s: status %d, %s%s", command, flag, value, status, out, text)
				}
			}
		}
	}
}

func TestUnknownFlagSuggestsOne(t *testing.T) {
	for flag, want := range map[string]string{"--topk": "--top-k", "--lissen": "", "--min-scor": "--min-score"} {
		_, _, text := runCommand(t, nil, "recognize", flag, "1", "x.jpg")
		if want != "" && !strings.Contains(text, "did you mean "+want+"?") || want == "" && !strings.Contains(text, "edgelens recognize --help") {
			t.Errorf("%s: %s", flag, text)
		}
	}
}

func TestModelCommands(t *testing.T) {
	environ := colorsEnvironment(t)
	t.Run("pull the built-in one", func(t *testing.T) {
		if status, out, text := runCommand(t, environ, "model", "pull", "snapshot_quality"); status != 0 || !strings.Contains(out+text, "nothing to fetch") {
			t.Errorf("status %d, %q, %q", status, out, text)
		}
	})
	t.Run("verify by name", func(t *testing.T) {
		if status, out, text := runCommand(t, environ, "model", "verify", "colors"); status != 0 || out != "colors: can be used\n" {
			t.Errorf("status %d, %q, %q", status, out, text)
		}
		if status, out, _ := runCommand(t, environ, "model", "verify", "nope"); status != 1 || !strings.Contains(out, "nope") {
			t.Errorf("status %d, %q", status, out)
		}
	})
	t.Run("list", func(t *testing.T) {
		status, out, _ := runCommand(t, environ, "model", "list")
		for _, want := range []string{"colors", "default", "mobilenet_v2_1.0_224_int8", "missing"} {
			if status != 0 || !strings.Contains(out, want) {
				t.Errorf("status %d, no %q in\n%s", status, want, out)
			}
		}
	})
	t.Run("inspect", func(t *testing.T) {
		status, out, err := runCommand(t, environ, "model", "inspect", "colors")
		for _, want := range []string{"[1 32 32 3] uint8", "probabilities", "sha256:"} {
			if status != 0 || !strings.Contains(out, want) {
				t.Errorf("status %d, no %q in\n%s%s", status, want, out, err)
			}
		}
	})
	t.Run("inspect a file", func(t *testing.T) {
		model := file(t, "m.tflite", modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()}))
		status, out, err := runCommand(t, nil, "model", "inspect", model)
		for _, want := range []string{"image [1 8 8 3] uint8, scale", "AVERAGE_POOL_2D", "labels.txt"} {
			if status != 0 || !strings.Contains(out, want) {
				t.Errorf("status %d, no %q in\n%s%s", status, want, out, err)
			}
		}
		var facts struct{ Operators []struct{ Name string } }
		status, out, err = runCommand(t, nil, "model", "inspect", "--json", model)
		if e := json.Unmarshal([]byte(out), &facts); status != 0 || e != nil || len(facts.Operators) != 3 {
			t.Errorf("status %d, %v\n%s%s", status, e, out, err)
		}
	})
	t.Run("verify", func(t *testing.T) {
		good, bad := file(t, "good.tflite", modeltest.Mean(modeltest.Options{})), file(t, "bad.tflite", modeltest.Truncated())
		if status, out, _ := runCommand(t, nil, "model", "verify", good); status != 0 || !strings.Contains(out, "can be used") {
			t.Errorf("status %d\n%s", status, out)
		}
		for _, args := range [][]string{{good, bad}, {filepath.Join(t.TempDir(), "none.tflite")}, {t.TempDir()}} {
			status, out, _ := runCommand(t, nil, append([]string{"model", "verify"}, args...)...)
			if status != 1 || !strings.Contains(out, "cannot be used: ") {
				t.Errorf("%v: status %d\n%s", args, status, out)
			}
		}
	})
	t.Run("inspect a broken one", func(t *testing.T) {
		dir := filepath.Dir(file(t, "broken.tflite", modeltest.NotAnImage()))
		if status, _, err := runCommand(t, []string{"EDGELENS_MODELS_DIR=" + dir, "EDGELENS_DATA_DIR=" + t.TempDir()}, "model", "inspect", "broken"); status != 1 || !strings.Contains(err, "shape") {
			t.Errorf("status %d, %s", status, err)
		}
	})
	t.Run("pull from a mirror", func(t *testing.T) {
		mirror, dir := t.TempDir(), t.TempDir()
		model := modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true, Labels: modeltest.Labels()})
		for _, f := range []struct{ path, text string }{
			{filepath.Join(mirror, "tiny.tflite"), string(model)},
			{filepath.Join(dir, "manifest.yaml"), fmt.Sprintf("models:\n- {name: tiny, file: tiny.tflite, sha256: %x, size: %d, task: classification}\n", sha256.Sum256(model), len(model))},
		} {
			if err := os.WriteFile(f.path, []byte(f.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		environ := []string{"EDGELENS_MODELS_DIR=" + dir, "EDGELENS_MODEL_MIRROR=" + mirror}
		status, _, talk := runCommand(t, environ, "model", "pull", "tiny")
		if got, err := os.ReadFile(filepath.Join(dir, "tiny.tflite")); status != 0 || err != nil || !bytes.Equal(got, model) {
			t.Errorf("status %d, %v\n%s", status, err, talk)
		}
		if status, _, talk := runCommand(t, environ, "model", "pull", "tiny"); status != 0 || !strings.Contains(talk, "already") {
			t.Errorf("again: status %d\n%s", status, talk)
		}
		if status, _, talk := runCommand(t, environ, "model", "pull", "nope"); status != 1 || !strings.Contains(talk, "nope") {
			t.Errorf("unknown: status %d\n%s", status, talk)
		}
	})
}

func TestConfigCommand(t *testing.T) {
	status, out, _ := runCommand(t, nil, "config", "--listen", "127.0.0.1:9")
	if status != 0 || !strings.Contains(out, `listen: "127.0.0.1:9"`) {
		t.Errorf("status %d\n%s", status, out)
	}
	status, _, err := runCommand(t, []string{"EDGELENS_LISTN=x", "EDGELENS_CACHE_TTL=never"}, "serve", "--inference-threads", "0")
	for _, want := range []string{"EDGELENS_LISTN", "did you mean EDGELENS_LISTEN?", "EDGELENS_CACHE_TTL", "inference.threads"} {
		if status != 1 || !strings.Contains(err, want) {
			t.Errorf("status %d, no %q in\n%s", status, want, err)
		}
	}
}

func TestUnexpectedArguments(t *testing.T) {
	for args, want := range map[string]string{"--ledger-keep-images false": "--flag=false", "--listen 127.0.0.1:9 now": `takes no arguments, but got "now"`} {
		status, _, err := runCommand(t, nil, append([]string{"config"}, strings.Fields(args)...)...)
		if status != 2 || !strings.Contains(err, want) {
			t.Errorf("%s: status %d, %s", args, status, err)
		}
	}
}

func TestVersionCommand(t *testing.T) {
	t.Setenv("LITERT_ROOT", t.TempDir())
	status, out, _ := runCommand(t, nil, "version")
	for _, want := range []string{"edgelens devel\n", "runtime: tflite 2.", "runtime: litert 2.3.0: LiteRT is not installed", "processor: "} {
		if status != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d, %q, want %q", status, out, want)
		}
	}
}

// What scripts read from `edgelens version --json`.
func TestVersionAsJSON(t *testing.T) {
	t.Setenv("LITERT_ROOT", t.TempDir())
	status, out, text := runCommand(t, nil, "version", "--json")
	var v struct {
		Version, Commit, Date, Go, Architecture string
		Cores                                   int
		Runtimes                                []struct{ Name, Version, Library, Problem string }
		Accelerators                            []struct{ Name, Problem string }
	}
	if err := json.Unmarshal([]byte(out), &v); status != 0 || err != nil {
		t.Fatalf("status %d, %v: %s%s", status, err, out, text)
	}
	if v.Version != "devel" || v.Commit != "unknown" || v.Date != "unknown" || v.Go != runtime.Version() || v.Architecture != runtime.GOARCH || v.Cores < 1 || v.Accelerators == nil {
		t.Errorf("%+v", v)
	}
	if len(v.Runtimes) != 2 || v.Runtimes[0].Name != "tflite" || !strings.HasPrefix(v.Runtimes[0].Version, "2.") || !strings.Contains(v.Runtimes[1].Problem, "not installed") {
		t.Errorf("%+v", v.Runtimes)
	}
}
