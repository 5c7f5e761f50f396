package models_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
)

// TestBuiltinManifestIsFrozen freezes names, files and digests: clients name models,
// and results contain digests.
func TestBuiltinManifestIsFrozen(t *testing.T) {
	const want = `default mobilenet_v2_1.0_224_int8
mobilenet_v2_1.0_224_int8 tf2_mobilenet_v2_1.0_224_ptq.tflite 5d3137241276e79c86d14a74fe43581398ae0e815191d3dba45495b810840e8c 4070174 imagenet_labels.txt b8aaeb5630c62626a7d124a05c0e14230a7ffdd2136a31d0190a4fb71c1d82f1 21686
mobilenet_v2_1.0_224_uint8 mobilenet_v2_1.0_224_quant.tflite 7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776 3610798 imagenet_labels.txt b8aaeb5630c62626a7d124a05c0e14230a7ffdd2136a31d0190a4fb71c1d82f1 21686
mobilenet_v1_0.25_128_uint8 mobilenet_v1_0.25_128_quant.tflite cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785 525598 imagenet_labels.txt b8aaeb5630c62626a7d124a05c0e14230a7ffdd2136a31d0190a4fb71c1d82f1 21686
mobilenet_v1_1.0_224_embedding mobilenet_v1_1.0_224_quant_embedding_extractor.tflite f409ef4f73fcbb9667841965623c5c8524aac33d41b9bf5f3667161fb4a76319 3251736
`
	m := models.Builtin()
	got := fmt.Sprintf("default %s\n", m.Default)
	for _, e := range m.Models {
		files, line, task, activation := []models.File{e.File}, []any{e.Name, e.File.Name, e.File.SHA256, e.File.Size}, edgelens.TaskEmbedding, models.ActivationAuto
		if e.Labels != nil {
			files, line = append(files, *e.Labels), append(line, e.Labels.Name, e.Labels.SHA256, e.Labels.Size)
			task, activation = edgelens.TaskClassification, models.ActivationProbabilities
		}
		got += fmt.Sprintln(line...)
		if e.Licence == "" || e.Description == "" || e.Task != task || !e.TaskGiven {
			t.Errorf("%s lacks a licence, description or task", e.Name)
		}
		for _, f := range files {
			if !strings.HasPrefix(f.Source, "https://") || !strings.HasSuffix(f.Source, "/"+f.Name) {
				t.Errorf("%s: source %q", f.Name, f.Source)
			}
		}
		if e.Normalization == nil || *e.Normalization != models.DefaultNormalization || e.Activation != activation {
			t.Errorf("%s: input %v, output %q", e.Name, e.Normalization, e.Activation)
		}
	}
	if got != want {
		t.Errorf("a promise is broken; add names freely, but change these only with an ADR\ngot\n%swant\n%s", got, want)
	}
}

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseManifest(t *testing.T) {
	for name, tc := range map[string]struct {
		yaml string
		want models.Manifest
	}{
		"empty":         {"", models.Manifest{}},
		"only comments": {"# nothing\n", models.Manifest{}},
		"no models yet": {"default: x\nmodels:\n", models.Manifest{Default: "x"}},
		"least": {
			"models: [{name: a, file: a.tflite, sha256: " + strings.ToUpper(sum) + ", size: 5}]",
			models.Manifest{Models: []models.Entry{{
				Name: "a", File: models.File{Name: "a.tflite", SHA256: sum, Size: 5}, Task: "classification",
			}}},
		},
		"all": {
			`
default: a
models:
- name: a
  file: a.tflite
  sha256: ` + sum + `
  size: 5
  source: https://example.org/a.tflite
  licence: MIT
  description: about a
  task: classification
  labels: {file: a.txt, sha256: ` + sum + `, size: 6, source: "http://example.org/a.txt"}
  input: {mean: 0, std: 255}
  output: logits
  fit: sweep
`,
			models.Manifest{Default: "a", Models: []models.Entry{{
				Name:    "a",
				File:    models.File{Name: "a.tflite", SHA256: sum, Size: 5, Source: "https://example.org/a.tflite"},
				Labels:  &models.File{Name: "a.txt", SHA256: sum, Size: 6, Source: "http://example.org/a.txt"},
				Licence: "MIT", Description: "about a", Task: "classification", TaskGiven: true,
				Normalization: &models.Normalization{Std: [3]float64{255, 255, 255}},
				Activation:    models.ActivationLogits,
				Fit:           edgelens.FitSweep,
			}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := models.ParseManifest([]byte(tc.yaml))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// entry returns a valid entry with some of its lines replaced; an empty
// replacement omits a line.
func entry(replaced map[string]string) string {
	lines := []struct{ key, value string }{
		{"name", "a"}, {"file", "a.tflite"}, {"sha256", sum}, {"size", "5"},
	}
	out := ""
	for _, l := range lines {
		value, ok := replaced[l.key]
		if !ok {
			value = l.value
		}
		delete(replaced, l.key)
		if value != "" {
			out += "\n  " + l.key + ": " + value
		}
	}
	for key, value := range replaced {
		out += "\n  " + key + ": " + value
	}
	return strings.Replace(out, "\n  ", "\n- ", 1)
}

func TestParseManifestErrors(t *testing.T) {
	type lines = map[string]string
	for name, tc := range map[string]struct {
		yaml string
		want []string // each in the error
	}{
		"not yaml":              {"models: [", []string{"line"}},
		"a list":                {"- a", []string{"manifest: is not a mapping"}},
		"unknown key at top":    {"modles: []", []string{`manifest: unknown key "modles"`}},
		"models not a list":     {"models: {a: b}", []string{"models: is not a list"}},
		"entry not a mapping":   {"models: [a]", []string{"models[0]: is not a mapping"}},
		"two documents":         {"models:\n---\nmodels:\n", []string{"one document"}},
		"too large":             {strings.Repeat("#", 1<<20+1), []string{"at most"}},
		"default not a name":    {"default: [a]", []string{"default: a list or mapping has the wrong type"}},
		"unknown key":           {"models:" + entry(lines{"sha265": "x"}), []string{`models[0] "a": unknown key "sha265"`}},
		"key twice":             {"models:" + entry(nil) + "\n  size: 6", []string{`models[0] "a": size: is given twice`}},
		"missing name":          {"models:" + entry(lines{"name": ""}), []string{"models[0]: name: is missing"}},
		"name with slash":       {"models:" + entry(lines{"name": "a/b"}), []string{`models[0] "a/b": name: is not`}},
		"missing file":          {"models:" + entry(lines{"file": ""}), []string{`"a": file: is missing`}},
		"file with slash":       {"models:" + entry(lines{"file": "x/a.tflite"}), []string{`"a": file: "x/a.tflite" is a path`}},
		"file with backslash":   {"models:" + entry(lines{"file": `x\a.tflite`}), []string{"is a path"}},
		"file with dots":        {"models:" + entry(lines{"file": "..a.tflite"}), []string{`has ".." in it`}},
		"file hidden":           {"models:" + entry(lines{"file": ".a.tflite"}), []string{`starts with "."`}},
		"file of other kind":    {"models:" + entry(lines{"file": "a.onnx"}), []string{"does not end in .tflite"}},
		"missing sha256":        {"models:" + entry(lines{"sha256": ""}), []string{`"a": sha256: is missing`}},
		"short sha256":          {"models:" + entry(lines{"sha256": "abc"}), []string{`"a": sha256: "abc" is not 64 hex digits`}},
		"missing size":          {"models:" + entry(lines{"size": ""}), []string{`"a": size: is missing`}},
		"negative size":         {"models:" + entry(lines{"size": "-1"}), []string{"size: -1 is not between"}},
		"size not a number":     {"models:" + entry(lines{"size": "big"}), []string{`size: "big" has the wrong type`}},
		"source not a URL":      {"models:" + entry(lines{"source": "ftp://x/y"}), []string{"source:"}},
		"task":                  {"models:" + entry(lines{"task": "detection"}), []string{`task: "detection" is not "classification"`}},
		"runtime":               {"models:" + entry(lines{"runtime": "LiteRT"}), []string{`runtime: "LiteRT" is not auto, tflite or litert`}},
		"fit":                   {"models:" + entry(lines{"fit": "Center"}), []string{`fit: "Center" is not center, stretch, sweep or pad`}},
		"output":                {"models:" + entry(lines{"output": "softmax"}), []string{`output: "softmax" is not`}},
		"input without std":     {"models:" + entry(lines{"input": "{mean: 1}"}), []string{"input: std: is missing"}},
		"input divides by zero": {"models:" + entry(lines{"input": "{mean: 1, std: 0}"}), []string{"input: std: 0 is not"}},
		"input not finite":      {"models:" + entry(lines{"input": "{mean: .nan, std: .inf}"}), []string{"mean: NaN", "std: +Inf"}},
		"labels": {
			"models:" + entry(lines{"labels": "{file: ../l.txt, sha256: x, siez: 1}"}),
			[]string{"labels: file:", "labels: sha256:", "labels: size: is missing", `labels: unknown key "siez"`},
		},
		"labels too large": {"models:" + entry(lines{"labels": "{file: l.txt, sha256: " + sum + ", size: 4194305}"}), []string{"labels: size:"}},
		"same name twice":  {"models:" + entry(nil) + entry(lines{"file": "b.tflite"}), []string{`models[1] "a": name: is given to two entries`}},
		"same file twice":  {"models:" + entry(nil) + entry(lines{"name": "b"}), []string{`"b": file: "a.tflite" is already that of "a"`}},
		"labels in two versions": {
			"models:" + entry(lines{"labels": "{file: l.txt, sha256: " + sum + ", size: 1}"}) +
				entry(lines{"name": "b", "file": "b.tflite", "labels": "{file: l.txt, sha256: " + sum + ", size: 2}"}),
			[]string{`"b": file: another entry gives "l.txt" a different sha256 or size`},
		},
		"all at once": {
			"defautl: a\nmodels:" + entry(lines{"sha256": "x", "size": "0"}) + entry(lines{"name": "b", "file": "/etc/x.tflite", "task": "x"}),
			[]string{`"defautl"`, `"a": sha256:`, `"a": size:`, `"b": file:`, `"b": task:`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := models.ParseManifest([]byte(tc.yaml))
			if !errors.Is(err, edgelens.ErrModel) {
				t.Fatalf("got %v, want ErrModel", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in\n%v", want, err)
				}
			}
		})
	}
}

func TestReadManifest(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "manifest.yaml", []byte(`
default: mine
models:
- {name: mine, file: mine.tflite, sha256: `+sum+`, size: 7}
- {name: mobilenet_v2_1.0_224_uint8, file: other.tflite, sha256: `+sum+`, size: 8}
`))
	m, err := models.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range m.Models {
		got = append(got, e.Name+"="+e.File.Name)
	}
	want := []string{
		"mobilenet_v2_1.0_224_int8=tf2_mobilenet_v2_1.0_224_ptq.tflite",
		"mobilenet_v2_1.0_224_uint8=other.tflite",
		"mobilenet_v1_0.25_128_uint8=mobilenet_v1_0.25_128_quant.tflite",
		"mobilenet_v1_1.0_224_embedding=mobilenet_v1_1.0_224_quant_embedding_extractor.tflite",
		"mine=mine.tflite",
	}
	if m.Default != "mine" || !reflect.DeepEqual(got, want) {
		t.Errorf("got default %q and %v, want mine and %v", m.Default, got, want)
	}

	write(t, dir, "manifest.yaml", []byte("models: [{name: mine, file: mobilenet_v2_1.0_224_quant.tflite, sha256: "+sum+", size: 7}]"))
	if _, err := models.ReadManifest(dir); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "already that of") {
		t.Errorf("a file of two entries: got %v", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	builtin, err := os.ReadFile("manifest.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(builtin)
	f.Add([]byte("models: &m [*m]"))
	f.Add([]byte("models: [{name: &a [b], labels: *a, input: {mean: ~}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := models.ParseManifest(data)
		if err != nil {
			if !errors.Is(err, edgelens.ErrModel) {
				t.Errorf("not ErrModel: %v", err)
			}
			return
		}
		for _, e := range m.Models {
			for _, file := range []*models.File{&e.File, e.Labels} {
				if file != nil && (filepath.Base(file.Name) != file.Name || len(file.SHA256) != 64 || file.Size < 1) {
					t.Errorf("accepted %+v", e)
				}
			}
		}
	})
}

// write puts a file into a folder.
func write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}
