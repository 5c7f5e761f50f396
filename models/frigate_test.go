package models_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// putFolder puts files into a folder of the models folder.
func putFolder(t *testing.T, dir, folder string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, folder), name, []byte(text))
	}
}

// A classifier as Frigate exports it is a model in each of the places where it may lie: its labels, its bytes as they are,
// and the whole image, stretched.
func TestFrigateModels(t *testing.T) {
	model := string(modeltest.Frigate())
	for name, tc := range map[string]struct {
		folder string // "" for the models folder itself
		files  map[string]string
		want   []string
	}{
		"a folder":             {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "closed\nnone\nopen\n"}, []string{"closed", "none", "open"}},
		"numbers":              {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "0 closed\n1 none\n2 open\n"}, []string{"closed", "none", "open"}},
		"numbers in disorder":  {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "2 open\n0 closed\n1 none\n"}, []string{"closed", "none", "open"}},
		"numbers are names":    {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "0 bins\n1 bin\n2 bins\n"}, []string{"0 bins", "1 bin", "2 bins"}},
		"names count from 1":   {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "1 bin\n2 cars\n3 dogs\n"}, []string{"1 bin", "2 cars", "3 dogs"}},
		"CRLF and other files": {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "closed\r\nnone\r\nopen\r\n", "dataset.zip": "x"}, []string{"closed", "none", "open"}},
		"labelmap beside":      {"", map[string]string{"gate.tflite": model, "labelmap.txt": "closed\nnone\nopen\n"}, []string{"closed", "none", "open"}},
		"labelmap of its name": {"", map[string]string{"gate.tflite": model, "gate.labelmap.txt": "closed\nnone\nopen\n", "other.tflite": "x"}, []string{"closed", "none", "open"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			putFolder(t, dir, tc.folder, tc.files)
			r := open(t, dir)
			m, err := r.Get("gate")
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(m.Labels, tc.want) {
				t.Errorf("labels %q, want %q", m.Labels, tc.want)
			}
			if m.Fit != edgelens.FitStretch || m.NormalizationFrom != models.FromLabelmap {
				t.Errorf("fit %q, normalization by %q", m.Fit, m.NormalizationFrom)
			}
			if n := m.Normalization; n == nil || n.Mean[0] != 0 || n.Std[0] < 277.1 || n.Std[0] > 277.3 { // 255 / 0.92
				t.Errorf("normalization %v", m.Normalization)
			}
			if l := listed(t, r, "gate"); l.State != edgelens.ModelAvailable {
				t.Errorf("%s %q", l.State, l.Problem)
			}
		})
	}
}

// What is not understood is listed, with a sentence, and can never be used.
func TestFolderErrors(t *testing.T) {
	model := string(modeltest.Frigate())
	for name, tc := range map[string]struct {
		folder string
		files  map[string]string
		beside string // a file in the models folder
		listed string // the name in the list; "" for the folder's
		want   string
	}{
		"no labels":           {"gate", map[string]string{"model.tflite": model}, "", "", "the folder gate has no labelmap.txt"},
		"no model":            {"gate", map[string]string{"labelmap.txt": "a\nb\nc\n"}, "", "", "the folder gate has no model.tflite"},
		"neither":             {"gate", map[string]string{"model.onnx": "x"}, "", "", "the folder gate is not understood"},
		"labels of another":   {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "a\nb\nc\nd\n"}, "", "", "gate/model.tflite: it has 4 labels for 3 outputs"},
		"labels not readable": {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "\xff\n"}, "", "", "gate/labelmap.txt: line 1 of the labels is not valid UTF-8"},
		"model not readable":  {"gate", map[string]string{"model.tflite": model[:100], "labelmap.txt": "a\nb\nc\n"}, "", "", "gate/model.tflite looks truncated"},
		"two of the name":     {"gate", map[string]string{"model.tflite": model, "labelmap.txt": "a\nb\nc\n"}, "gate.tflite", "gate/model.tflite", "the folder gate has the name of another model"},
		"a name that hides":   {"g\x1b", map[string]string{"model.tflite": model, "labelmap.txt": "a\nb\nc\n"}, "", "", "rename it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			putFolder(t, dir, tc.folder, tc.files)
			if tc.beside != "" {
				write(t, dir, tc.beside, modeltest.Mean(modeltest.Options{Labels: modeltest.Labels()}))
			}
			name := tc.listed
			if name == "" {
				name = tc.folder
			}
			l := listed(t, open(t, dir), name)
			if l.State != edgelens.ModelFailed || !strings.Contains(l.Problem, tc.want) {
				t.Errorf("%s %q, want %q", l.State, l.Problem, tc.want)
			}
		})
	}
}

// Folders that no one put there as a model are not listed.
func TestOtherFolders(t *testing.T) {
	dir := t.TempDir()
	putFolder(t, dir, "empty", nil)
	putFolder(t, dir, ".hidden", map[string]string{"x": "x"})
	putFolder(t, dir, "lost+found", map[string]string{"x": "x"})
	for _, l := range open(t, dir).List() {
		if l.Entry == nil {
			t.Errorf("%s is listed: %s", l.Name, l.Problem)
		}
	}
}
