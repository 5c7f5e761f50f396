//go:build cgo

package app

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"edgelens/inference"
	"edgelens/inference/litert"
	"edgelens/internal/config"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// brightness returns the classifier of brightness whose last operator, SOFTMAX, has a version.
func brightness(t *testing.T, version int) []byte {
	t.Helper()
	m, err := tflitefile.Read(modeltest.Brightness{Last: tflitefile.Softmax, Slopes: []float64{-4, 0, 4}, Offsets: []float64{2, 0.4, -2}, Labels: modeltest.BrightnessLabels()}.File())
	if err != nil {
		t.Fatal(err)
	}
	m.Main().Operators[len(m.Main().Operators)-1].Version = version
	file, err := m.Write()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// newerVersion of SOFTMAX is in LiteRT, and not in TensorFlow Lite 2.17.
const newerVersion = 4

// threeModels puts a model of today's operators, the same with LiteRT in the manifest, and one with
// a newer operator into the models folder.
func threeModels(t *testing.T, c *config.Config) {
	t.Helper()
	own := brightness(t, 1)
	put(t, c, "plain.tflite", own)
	put(t, c, "asked.tflite", own)
	put(t, c, "newer.tflite", brightness(t, newerVersion))
	put(t, c, "manifest.yaml", fmt.Appendf(nil, "default: plain\nmodels:\n- {name: asked, file: asked.tflite, sha256: %x, size: %d, task: classify, runtime: litert}\n", sha256.Sum256(own), len(own)))
	c.Model = "plain"
}

// Each model is run by the runtime that the manifest, its operators or the setting chooses,
// after its trial in a child process, and the API names it.
func TestRuntimes(t *testing.T) {
	c := settings(t)
	if _, err := NewRuntimes(c).LiteRT(); err != nil {
		t.Skipf("make setup RUNTIME=litert installs LiteRT: %v", err)
	}
	for setting, want := range map[string]map[string]string{
		"auto":   {"plain": "tflite", "asked": "litert", "newer": "litert"},
		"litert": {"plain": "litert", "asked": "litert", "newer": "litert"},
		"tflite": {"plain": "tflite", "asked": "litert", "newer": ""},
	} {
		t.Run(setting, func(t *testing.T) {
			c := settings(t)
			c.Inference.Runtime = setting
			threeModels(t, c)
			s := start(t, c)
			for model, runtime := range want {
				a := s.form(path+"?model="+model, modeltest.Gray("bright"))
				described := string(s.get("/api/models/" + model).body)
				if runtime == "" {
					if a.status != 500 || !strings.Contains(a.Detail, "version 4 of the operator SOFTMAX") || !strings.Contains(described, `"state":"failed"`) {
						t.Errorf("%s: %d %s", model, a.status, a.body)
					}
					continue
				}
				if a.status != 200 || a.Predictions[0].ClassID != 2 || !strings.Contains(described, `"runtime":{"name":"`+runtime+`","version":"2.`) {
					t.Errorf("%s: %d %s\n%s", model, a.status, a.body, described)
				}
			}
			if a := s.get("/api/system"); !strings.Contains(string(a.body), `{"name":"litert","version":"`+litert.Version+`"}`) {
				t.Errorf("%s", a.body)
			}
		})
	}
}

// A model is run on the GPU beside the processor: answers, results of jobs, the description of the
// model and the metrics name it. SwiftShader is a GPU in software.
func TestGPU(t *testing.T) {
	const driver = "/usr/lib/chromium/vk_swiftshader_icd.json"
	if _, err := os.Stat(driver); err != nil {
		t.Skipf("there is no %s, a GPU in software: apt-get install chromium-common libvulkan1", driver)
	}
	t.Setenv("VK_DRIVER_FILES", driver)
	t.Setenv("VK_ICD_FILENAMES", driver)
	c := settings(t)
	if _, err := NewRuntimes(c).LiteRT(); err != nil {
		t.Skipf("make setup RUNTIME=litert installs LiteRT: %v", err)
	}
	c.Inference.Accelerators = []string{inference.AcceleratorGPU}
	withColors(t, c)
	s := start(t, c)
	testutil.Eventually(t, "the GPU takes images, or cannot", func() bool {
		return !strings.Contains(string(s.get("/api/models/colors").body), `"state":"loading"`)
	})
	described := string(s.get("/api/models/colors").body)
	if strings.Contains(described, "libvulkan") {
		t.Skipf("apt-get install libvulkan1: %s", described)
	}
	if !strings.Contains(described, `"adapter":"SwiftShader`) || !strings.Contains(described, `"state":"ready"`) {
		t.Fatal(described)
	}
	for name, color := range colors {
		a := s.form(path+"?cache=false", modeltest.Image(color, 64, 64))
		if a.status != 200 || a.Predictions[0].Label != name || !strings.Contains(string(a.body), `"accelerator":"gpu"`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := s.get("/metrics"); !strings.Contains(string(a.body), `edgelens_accelerator_runs_total{accelerator="gpu",model="colors"} 3`) {
		t.Errorf("%s", a.body)
	}
	if a := s.get("/api/system"); !strings.Contains(string(a.body), `"accelerators":[{"name":"gpu"}]`) {
		t.Errorf("%s", a.body)
	}
}

// Without LiteRT, a model that needs it is an error that names the command that installs it;
// other models are run.
func TestModelsThatNeedLiteRT(t *testing.T) {
	t.Setenv(litert.RootVariable, t.TempDir())
	c := settings(t)
	threeModels(t, c)
	s := start(t, c)
	for model, wants := range map[string][]string{
		"asked": {"LiteRT is not installed", "edgelens runtime install litert"},
		"newer": {"version 4 of the operator SOFTMAX", "edgelens runtime install litert"},
	} {
		a := s.form(path+"?model="+model, modeltest.Gray("bright"))
		for _, want := range wants {
			if a.status != 500 || !strings.Contains(a.Detail, want) {
				t.Errorf("%s: %d %s, want %q", model, a.status, a.body, want)
			}
		}
	}
	if a := s.form(path, modeltest.Gray("bright")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.get("/api/system"); !strings.Contains(string(a.body), `"problem":"LiteRT is not installed`) {
		t.Errorf("%s", a.body)
	}
}
