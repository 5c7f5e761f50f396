package models_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// labeled returns a model with the names of its classes packed into it.
func labeled(o modeltest.Options) []byte {
	o.Labels = modeltest.Labels()
	return modeltest.Mean(o)
}

func uniform(mean, std float64) *models.Normalization {
	n := models.Uniform(mean, std)
	return &n
}

func hexSum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func open(t testing.TB, dir string) *models.Registry {
	t.Helper()
	r, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// listed returns the model of that name from List.
func listed(t *testing.T, r *models.Registry, name string) models.Listed {
	t.Helper()
	for _, l := range r.List() {
		if l.Name == name {
			return l
		}
	}
	t.Fatalf("%q is not listed", name)
	return models.Listed{}
}

// ownManifest promises mean.tflite as model "mean" and puts it, its labels and
// the manifest into dir.
func ownManifest(t *testing.T, dir string) (model, labels []byte) {
	t.Helper()
	model = labeled(modeltest.Options{DType: models.Uint8, Softmax: true})
	labels = []byte("red\ngreen\nblue\n")
	write(t, dir, "mean_file.tflite", model)
	write(t, dir, "mean_labels.txt", labels)
	write(t, dir, "manifest.yaml", fmt.Appendf(nil, `
default: mean
models:
- {name: mean, file: mean_file.tflite, sha256: %s, size: %d, labels: {file: mean_labels.txt, sha256: %s, size: %d}, input: {mean: 1, std: 2}, output: probabilities, fit: pad, runtime: litert}
`, hexSum(model), len(model), hexSum(labels), len(labels)))
	return model, labels
}

func TestGetFromManifest(t *testing.T) {
	dir := t.TempDir()
	file, _ := ownManifest(t, dir)
	r := open(t, dir)
	want := models.Model{
		ModelRef:  edgelens.ModelRef{Name: "mean", Digest: "sha256:" + hexSum(file)},
		Path:      filepath.Join(dir, "mean_file.tflite"),
		FileBytes: int64(len(file)), Task: "classification", Labels: modeltest.Labels(),
		Normalization: uniform(1, 2), NormalizationFrom: models.FromManifest, Activation: models.ActivationProbabilities, Fit: edgelens.FitPad, Runtime: models.RuntimeLiteRT,
	}
	m, err := tflitefile.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want.Facts = m.Facts()
	for how, name := range map[string]string{"by name": "mean", "by file": "mean_file", "as default": ""} {
		t.Run(how, func(t *testing.T) {
			got, err := r.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
	l := listed(t, r, "mean")
	if l.State != edgelens.ModelAvailable || !l.Default || l.Problem != "" || l.Entry == nil || !reflect.DeepEqual(l.Model, want) {
		t.Errorf("listed as %+v", l)
	}
}

func TestDroppedFiles(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	if _, err := r.Get("mine"); !errors.Is(err, edgelens.ErrUnknownModel) {
		t.Fatalf("got %v before the file is there", err)
	}

	first := labeled(modeltest.Options{})
	write(t, dir, "mine.tflite", first)
	m, err := r.Get("mine")
	if err != nil {
		t.Fatal(err)
	}
	if m.Digest != "sha256:"+hexSum(first) || m.FileBytes != int64(len(first)) || m.Task != "classification" || !reflect.DeepEqual(m.Labels, modeltest.Labels()) {
		t.Errorf("got %+v", m)
	}

	second := labeled(modeltest.Options{Softmax: true})
	write(t, dir, "mine.tflite", second)
	if m, err = r.Get("mine"); err != nil || m.Digest != "sha256:"+hexSum(second) {
		t.Errorf("a replaced file: got %+v, %v", m, err)
	}

	remove(t, dir, "mine.tflite")
	if _, err := r.Get("mine"); !errors.Is(err, edgelens.ErrUnknownModel) {
		t.Errorf("a removed file: got %v", err)
	}
}

func TestDigestIsComputedOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mine.tflite")
	file := labeled(modeltest.Options{})
	write(t, dir, "mine.tflite", file)
	then := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	before, err := r.Get("mine")
	if err != nil {
		t.Fatal(err)
	}
	// Other bytes under the same inode, size and time: reading the file
	// again would reveal them.
	copy(file[bytes.Index(file, []byte("edgelens test model")):], "EDGELENS")
	write(t, dir, "mine.tflite", file)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
	if after, err := r.Get("mine"); err != nil || after.Digest != before.Digest {
		t.Errorf("the file was read again: %v, %v", after.Digest, err)
	}
	if err := os.Chtimes(path, then, then.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if after, err := r.Get("mine"); err != nil || after.Digest != "sha256:"+hexSum(file) {
		t.Errorf("a new version was not read: %v, %v", after.Digest, err)
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.tflite", labeled(modeltest.Options{}))
	write(t, dir, "a.tflite", labeled(modeltest.Options{}))
	write(t, dir, "._a.tflite", []byte("left by macOS"))
	write(t, dir, "notes.txt", []byte("x"))
	var got []string
	for _, l := range open(t, dir).List() {
		got = append(got, fmt.Sprint(l.Name, " ", l.State, " ", l.Default))
	}
	want := []string{
		"mobilenet_v2_1.0_224_int8 missing true",
		"mobilenet_v2_1.0_224_uint8 missing false",
		"mobilenet_v1_0.25_128_uint8 missing false",
		"mobilenet_v1_1.0_224_embedding missing false",
		"a available false",
		"b available false",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestUnknownModel(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "models")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "mine.tflite", labeled(modeltest.Options{}))
	write(t, parent, "outside.tflite", labeled(modeltest.Options{}))
	r := open(t, dir)
	for _, name := range []string{
		"nope", "../outside", "..", ".", "/", "./mine", "mine.tflite", "MINE", "mine\x00", "*", strings.Repeat("x", 10_000),
		filepath.Join(dir, "mine"),
	} {
		_, err := r.Get(name)
		if !errors.Is(err, edgelens.ErrUnknownModel) {
			t.Errorf("%.50q: got %v", name, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "known: mobilenet_v2_1.0_224_int8, ") || !strings.HasSuffix(text, ", mine") || len(text) > 500 {
			t.Errorf("%.50q: %q", name, text)
		}
	}
}

func TestDefault(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "mine.tflite", labeled(modeltest.Options{}))
	r := open(t, dir)
	if got := r.Default(); got != "mobilenet_v2_1.0_224_int8" {
		t.Errorf("default %q", got)
	}
	for name, want := range map[string]string{
		"mobilenet_v1_0.25_128_quant": "mobilenet_v1_0.25_128_uint8",
		"mine":                        "mine",
	} {
		if err := r.SetDefault(name); err != nil || r.Default() != want {
			t.Errorf("%s: default %q, %v", name, r.Default(), err)
		}
	}
	for _, name := range []string{"", "nope"} {
		if err := r.SetDefault(name); !errors.Is(err, edgelens.ErrUnknownModel) {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if r.SetDefault("mine"); !listed(t, r, "mine").Default || listed(t, r, "mobilenet_v2_1.0_224_int8").Default {
		t.Error("the list shows another default")
	}
	if m, err := r.Get(""); err != nil || m.Name != "mine" {
		t.Errorf("got %q, %v", m.Name, err)
	}
}

func TestEntry(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "mine.tflite", labeled(modeltest.Options{}))
	r := open(t, dir)
	for _, name := range []string{"", "mobilenet_v2_1.0_224_int8", "tf2_mobilenet_v2_1.0_224_ptq"} {
		if e, err := r.Entry(name); err != nil || e.Name != "mobilenet_v2_1.0_224_int8" {
			t.Errorf("%q: got %q, %v", name, e.Name, err)
		}
	}
	for name, want := range map[string]string{"mine": "nothing to pull", "nope": "known: "} {
		if _, err := r.Entry(name); !errors.Is(err, edgelens.ErrUnknownModel) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Run("no folder yet", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "models")
		r := open(t, dir)
		if _, err := r.Get(""); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "`edgelens model pull mobilenet_v2_1.0_224_int8`") {
			t.Errorf("got %v", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "mine.tflite", labeled(modeltest.Options{}))
		if _, err := r.Get("mine"); err != nil {
			t.Error(err)
		}
	})
	for name, prepare := range map[string]func(t *testing.T, dir string) string{
		"a file": func(t *testing.T, dir string) string {
			write(t, dir, "f", nil)
			return filepath.Join(dir, "f")
		},
		"errors in the manifest": func(t *testing.T, dir string) string {
			write(t, dir, "manifest.yaml", []byte("x: y"))
			return dir
		},
		"default names nothing": func(t *testing.T, dir string) string {
			write(t, dir, "manifest.yaml", []byte("default: nope"))
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := models.Open(prepare(t, t.TempDir())); !errors.Is(err, edgelens.ErrModel) {
				t.Errorf("got %v, want ErrModel", err)
			}
		})
	}
}

func TestRegistryIsGoroutineSafe(t *testing.T) {
	dir := t.TempDir()
	ownManifest(t, dir)
	r := open(t, dir)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				if _, err := r.Get("mean"); err != nil {
					t.Error(err)
				}
				r.List()
				if err := r.SetDefault("mean"); err != nil {
					t.Error(err)
				}
				// Written elsewhere and renamed, as a careful user does.
				name := fmt.Sprintf("m%d", i)
				write(t, dir, name+".new", labeled(modeltest.Options{Side: 1 + i}))
				if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name+".tflite")); err != nil {
					t.Error(err)
				}
				if _, err := r.Get(name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestRealModels(t *testing.T) {
	r := open(t, filepath.Join(testutil.Shared(t), "models"))
	for _, e := range models.Builtin().Models {
		m, err := r.Get(e.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.Digest != "sha256:"+e.File.SHA256 || m.Task != e.Task || m.Task == edgelens.TaskClassification && (len(m.Labels) != 1001 || m.Labels[286] != "Egyptian cat") {
			t.Errorf("%s: %s, %d labels", m.Name, m.Digest, len(m.Labels))
		}
	}
	for name, want := range map[string]string{"model_invoking_error": "fake-op-double"} {
		if _, err := r.Get(name); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

// The name of the built-in model is reserved.
func TestBuiltIn(t *testing.T) {
	dir := t.TempDir()
	own := models.Model{ModelRef: edgelens.ModelRef{Name: "built_in", Digest: "sha256:1"}, Path: filepath.Join(t.TempDir(), "unnamed"), Task: edgelens.TaskClassification}
	file := labeled(modeltest.Options{Side: 8, DType: models.Uint8})
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(own.Path)
	write(filepath.Join(dir, "built_in.tflite"))
	registry, err := models.Open(dir, own)
	if err != nil {
		t.Fatal(err)
	}
	found, err := registry.Get("built_in")
	if err != nil || found.Path != own.Path || !found.BuiltIn {
		t.Errorf("found %+v (%v), want the built-in model", found, err)
	}
	if _, err := registry.Get("built_in.tflite"); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "rename it") {
		t.Errorf("the file of that name: %v, want the advice to rename it", err)
	}
	if err := registry.SetDefault("built_in"); err != nil {
		t.Errorf("make it the default: %v", err)
	}
	if _, err := registry.Get("no such model"); err == nil || !strings.Contains(err.Error(), "built_in,") {
		t.Errorf("%v, want it among the known ones", err)
	}
	defaults := 0
	for _, listed := range registry.List() {
		if listed.Default {
			defaults++
			if listed.Name != "built_in" || listed.State != edgelens.ModelAvailable || listed.Facts == nil {
				t.Errorf("the default is listed as %+v", listed)
			}
		}
	}
	if defaults != 1 {
		t.Errorf("%d defaults are listed, want 1", defaults)
	}
	if _, err := models.Open(dir, models.Model{ModelRef: edgelens.ModelRef{Name: registry.List()[0].Name}}); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("one with the name of a model in the manifest: %v, want an ErrModel", err)
	}
}
