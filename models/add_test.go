package models_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// The output of modeltest.Mean is three numbers: features as good as any.
func TestAdd(t *testing.T) {
	file := modeltest.Mean(modeltest.Options{})
	for name, tc := range map[string]struct {
		manifest string
		inside   bool // the file is in the models folder already
		keeps    []string
	}{
		"no manifest":               {},
		"the file is in the folder": {inside: true},
		"comments alone":            {manifest: "# mine\n", keeps: []string{"# mine"}},
		"no models yet":             {manifest: "default: mobilenet_v1_0.25_128_uint8 # small\nmodels:\n", keeps: []string{"default: mobilenet_v1_0.25_128_uint8 # small"}},
		"others": {
			manifest: "models: # all of them\n  - {name: a, file: a.tflite, sha256: " + sum + ", size: 5} # first\n",
			keeps:    []string{"# all of them", "name: a", "# first"},
		},
		"others in brackets": {manifest: "models: [{name: a, file: a.tflite, sha256: " + sum + ", size: 5}]\n", keeps: []string{"name: a"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, from := t.TempDir(), t.TempDir()
			if tc.inside {
				from = dir
			}
			write(t, from, "features.tflite", file)
			if tc.manifest != "" {
				write(t, dir, models.ManifestFile, []byte(tc.manifest))
			}
			entry, err := models.Add(dir, models.Addition{File: filepath.Join(from, "features.tflite"), Name: "mine", Task: edgelens.TaskEmbedding})
			if err != nil || entry.Name != "mine" || entry.File.SHA256 != hexSum(file) {
				t.Fatalf("%+v, %v", entry, err)
			}
			l := listed(t, open(t, dir), "mine")
			if l.State != edgelens.ModelAvailable || l.Task != edgelens.TaskEmbedding {
				t.Errorf("%s %s %s", l.State, l.Task, l.Problem)
			}
			text, err := os.ReadFile(filepath.Join(dir, models.ManifestFile))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.keeps {
				if !strings.Contains(string(text), want) {
					t.Errorf("%q is gone:\n%s", want, text)
				}
			}
			if _, err := models.Add(dir, models.Addition{File: filepath.Join(from, "features.tflite"), Name: "mine", Task: edgelens.TaskEmbedding}); !errors.Is(err, edgelens.ErrConflict) {
				t.Errorf("added again: %v", err)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	features := modeltest.Mean(modeltest.Options{})
	for name, tc := range map[string]struct {
		file     []byte
		task     string
		named    string
		manifest string
		there    string // what the folder has under the name of the file
		want     error
		text     string
	}{
		"a classifier":             {file: features, task: edgelens.TaskClassification, want: edgelens.ErrInvalid, text: "put a classifier into the models folder"},
		"no task":                  {file: features, want: edgelens.ErrInvalid, text: "embedding"},
		"no model":                 {file: []byte("text"), task: edgelens.TaskEmbedding, want: edgelens.ErrModel},
		"a name that is taken":     {file: features, task: edgelens.TaskEmbedding, named: models.Builtin().Default, want: edgelens.ErrConflict, text: "another name"},
		"a name that is none":      {file: features, task: edgelens.TaskEmbedding, named: "a b", want: edgelens.ErrModel, text: "letters"},
		"another file of its name": {file: features, task: edgelens.TaskEmbedding, there: "other", want: edgelens.ErrConflict, text: "rename"},
		"a broken manifest":        {file: features, task: edgelens.TaskEmbedding, manifest: "modles: []", want: edgelens.ErrModel, text: "modles"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, from := t.TempDir(), t.TempDir()
			write(t, from, "m.tflite", tc.file)
			if tc.there != "" {
				write(t, dir, "m.tflite", []byte(tc.there))
			}
			if tc.manifest != "" {
				write(t, dir, models.ManifestFile, []byte(tc.manifest))
			}
			_, err := models.Add(dir, models.Addition{File: filepath.Join(from, "m.tflite"), Name: tc.named, Task: tc.task})
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v, want %v with %q", err, tc.want, tc.text)
			}
			if text, _ := os.ReadFile(filepath.Join(dir, models.ManifestFile)); string(text) != tc.manifest {
				t.Errorf("the manifest is changed: %s", text)
			}
		})
	}
}

// An embedding model answers no request that names no model.
func TestEmbeddingModelIsNoDefault(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "features.tflite", modeltest.Mean(modeltest.Options{}))
	if _, err := models.Add(dir, models.Addition{File: filepath.Join(dir, "features.tflite"), Task: edgelens.TaskEmbedding}); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	if err := r.SetDefault("features"); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "recognize.embedding_model") {
		t.Errorf("made the default: %v", err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, models.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, models.ManifestFile, append([]byte("default: features\n"), manifest...))
	if _, err := models.Open(dir); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "no predictions") {
		t.Errorf("default of the manifest: %v", err)
	}

	write(t, dir, models.ManifestFile, fmtEntry("features", modeltest.Mean(modeltest.Options{}), "classify"))
	if r, err = models.Open(dir); err != nil {
		t.Fatal(err)
	}
	if err := r.SetDefault("features"); err != nil {
		t.Fatal(err)
	}
	write(t, dir, models.ManifestFile, manifest)
	if _, err := r.Refresh(); !errors.Is(err, edgelens.ErrModel) || listed(t, r, "features").Task != edgelens.TaskClassification {
		t.Errorf("the default becomes one while the service runs: %v", err)
	}
}

// fmtEntry returns a manifest with one entry.
func fmtEntry(name string, file []byte, task string) []byte {
	return []byte("models:\n- {name: " + name + ", file: " + name + ".tflite, sha256: " + hexSum(file) + ", size: " + strconv.Itoa(len(file)) + ", task: " + task + "}\n")
}
