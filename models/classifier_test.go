package models_test

import (
	"fmt"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// Only classifiers are accepted; others are rejected before they are loaded, with what
// they seem to be.
func TestOutputsOfFile(t *testing.T) {
	sloped := func(n int) ([]float64, []float64) { return make([]float64, n), make([]float64, n) }
	for shape, want := range map[string]string{ // "" where it is served
		"1 3": "", "1 1 1 3": "", "1 2": "", "1 1": "", "1 1 1 1": "",
		"1 4 4 2":   "segmentation",
		"1 1 17 3":  "pose",
		"1 17 2":    "pose",
		"1 100 4":   "detector",
		"1 84 840":  "detector",
		"1 7 7 64":  "feature map",
		"1 1 3":     "score for each of N classes",
		"1 3 1 1":   "score for each of N classes",
		"2 3":       "2 images at a time",
		"1 2 2 2 2": "score for each of N classes",
	} {
		t.Run(shape, func(t *testing.T) {
			n, dims := 1, []int{}
			for _, word := range strings.Fields(shape) {
				var d int
				if _, err := fmt.Sscan(word, &d); err != nil {
					t.Fatal(err)
				}
				n, dims = n*d, append(dims, d)
			}
			b := modeltest.Brightness{OutputShape: dims}
			b.Slopes, b.Offsets = sloped(n)
			if n == 1 {
				b.Last = tflitefile.Logistic
				n = 2
			}
			dir := t.TempDir()
			var labels strings.Builder
			for i := range n {
				fmt.Fprintf(&labels, "name of %d\n", i)
			}
			write(t, dir, "m.tflite", b.File())
			write(t, dir, "m.txt", []byte(labels.String()))
			l := listed(t, open(t, dir), "m")
			if want == "" && (l.State != edgelens.ModelAvailable || len(l.Labels) != n) {
				t.Errorf("%s %q", l.State, l.Problem)
			}
			if want != "" && (l.State != edgelens.ModelFailed || !strings.Contains(l.Problem, want) || !strings.Contains(l.Problem, "output of shape [")) {
				t.Errorf("%s %q, want %q", l.State, l.Problem, want)
			}
		})
	}
}

func TestClassesOfTypes(t *testing.T) {
	_, err := models.Classes(models.TensorSpec{Shape: []int{1, 3}})
	if err == nil || !strings.Contains(err.Error(), "ARG_MAX") {
		t.Errorf("an output of whole numbers: %v", err)
	}
}

// A model without labels is only accepted if its manifest declares a classifier.
func TestWithoutLabels(t *testing.T) {
	file := modeltest.Brightness{}.File()
	for name, tc := range map[string]struct {
		manifest string
		file     []byte
		labels   string
		problem  string
	}{
		"no manifest":        {"", file, "", "feature vector (embedding)"},
		"task: classify":     {"task: classify,", file, "", ""},
		"the longer word":    {"task: classification,", file, "", ""},
		"one score":          {"task: classify,", modeltest.Brightness{Slopes: []float64{1}, Offsets: []float64{0}, Last: tflitefile.Logistic}.File(), "", "two labels are needed"},
		"one score, three":   {"", modeltest.Brightness{Slopes: []float64{1}, Offsets: []float64{0}, Last: tflitefile.Logistic}.File(), "a\nb\nc", "there are 3"},
		"task and too many":  {"task: classify,", file, "a\nb\nc\nd", "4 labels for 3 outputs"},
		"task and all there": {"task: classify,", file, "a\nb\nc", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "m.tflite", tc.file)
			write(t, dir, "manifest.yaml", fmt.Appendf(nil, "models:\n- {name: m, file: m.tflite, %s sha256: %s, size: %d}\n", tc.manifest, hexSum(tc.file), len(tc.file)))
			if tc.labels != "" {
				write(t, dir, "m.txt", []byte(tc.labels))
			}
			l := listed(t, open(t, dir), "m")
			if (l.State == edgelens.ModelFailed) != (tc.problem != "") || !strings.Contains(l.Problem, tc.problem) || l.Task != "classification" {
				t.Errorf("%s %q, want %q", l.State, l.Problem, tc.problem)
			}
		})
	}
}

// The last operator of the graph is known without running it.
func TestActivationOfTheGraph(t *testing.T) {
	for name, tc := range map[string]struct {
		model modeltest.Brightness
		want  models.Activation
	}{
		"softmax":             {modeltest.Brightness{}, models.ActivationProbabilities},
		"sigmoid":             {modeltest.Brightness{Last: tflitefile.Logistic}, models.ActivationProbabilities},
		"softmax, reshaped":   {modeltest.Brightness{OutputShape: []int{1, 1, 1, 3}}, models.ActivationProbabilities},
		"softmax, quantized":  {modeltest.Brightness{Output: models.Int8, OutputScale: 1.0 / 128}, models.ActivationProbabilities},
		"logits":              {modeltest.Brightness{Last: modeltest.NoActivation}, models.ActivationAuto},
		"logits, reshaped":    {modeltest.Brightness{Last: modeltest.NoActivation, OutputShape: []int{1, 1, 1, 3}}, models.ActivationAuto},
		"sigmoids, quantized": {modeltest.Brightness{Last: tflitefile.Logistic, Output: models.Uint8, OutputScale: 1.0 / 100}, models.ActivationProbabilities},
	} {
		dir := t.TempDir()
		tc.model.Labels = modeltest.BrightnessLabels()
		write(t, dir, "m.tflite", tc.model.File())
		if m, err := open(t, dir).Get("m"); err != nil || m.Activation != tc.want {
			t.Errorf("%s: %q, %v", name, m.Activation, err)
		}
	}
}
