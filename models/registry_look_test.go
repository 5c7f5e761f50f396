package models_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models/modeltest"
)

func TestManifestFileErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, dir string, model []byte)
		state edgelens.ModelState
		want  []string
	}{
		"model missing": {
			func(t *testing.T, dir string, _ []byte) { remove(t, dir, "mean_file.tflite") },
			edgelens.ModelMissing, []string{"mean_file.tflite is not in the models folder", "`edgelens model pull mean`"},
		},
		"labels missing": {
			func(t *testing.T, dir string, _ []byte) { remove(t, dir, "mean_labels.txt") },
			edgelens.ModelMissing, []string{"mean_labels.txt is not in the models folder", "`edgelens model pull mean`"},
		},
		"model other": {
			func(t *testing.T, dir string, model []byte) {
				write(t, dir, "mean_file.tflite", append(bytes.Clone(model), 0))
			},
			edgelens.ModelFailed, []string{"mean_file.tflite is corrupt or differs from the manifest", "expected sha256 ", "got "},
		},
		"labels other": {
			func(t *testing.T, dir string, _ []byte) {
				write(t, dir, "mean_labels.txt", []byte("rot\ngrün\nblau\n"))
			},
			edgelens.ModelFailed, []string{"mean_labels.txt is corrupt or differs from the manifest", "expected sha256 ", "got "},
		},
		"model a folder": {
			func(t *testing.T, dir string, _ []byte) {
				remove(t, dir, "mean_file.tflite")
				if err := os.Mkdir(filepath.Join(dir, "mean_file.tflite"), 0o700); err != nil {
					t.Fatal(err)
				}
			},
			edgelens.ModelFailed, []string{"mean_file.tflite is not a regular file"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			model, _ := ownManifest(t, dir)
			r := open(t, dir)
			if _, err := r.Get("mean"); err != nil {
				t.Fatal(err)
			}
			tc.spoil(t, dir, model)
			_, err := r.Get("mean")
			if !errors.Is(err, edgelens.ErrModel) {
				t.Fatalf("got %v, want ErrModel", err)
			}
			l := listed(t, r, "mean")
			if l.State != tc.state {
				t.Errorf("state %s, want %s", l.State, tc.state)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) || !strings.Contains(l.Problem, want) {
					t.Errorf("%q is not in %v and %q", want, err, l.Problem)
				}
			}
			if strings.Contains(l.Problem, dir) {
				t.Errorf("the folder shows in %q", l.Problem)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestDroppedLabels(t *testing.T) {
	plain := modeltest.Mean(modeltest.Options{})
	inside := modeltest.Mean(modeltest.Options{Labels: []string{"x", "y", "z"}})
	for name, tc := range map[string]struct {
		model   []byte
		files   map[string]string
		want    []string
		problem string
	}{
		"none":                  {plain, nil, nil, "feature vector"},
		"inside":                {inside, nil, []string{"x", "y", "z"}, ""},
		"beside comes first":    {inside, map[string]string{"m.txt": "a\nb\nc", "labels.txt": "g\nh\ni"}, []string{"a", "b", "c"}, ""},
		"m.txt":                 {plain, map[string]string{"m.txt": "a\nb\nc", "m.labels.txt": "d\ne\nf", "labels.txt": "g\nh\ni"}, []string{"a", "b", "c"}, ""},
		"m.labels.txt":          {plain, map[string]string{"m.labels.txt": "d\ne\nf", "labels.txt": "g\nh\ni"}, []string{"d", "e", "f"}, ""},
		"m.csv":                 {plain, map[string]string{"m.csv": "id,name\n2,c\n1,b\n0,a\n"}, []string{"a", "b", "c"}, ""},
		"m.json":                {plain, map[string]string{"m.json": `["a","b","c"]`}, []string{"a", "b", "c"}, ""},
		"m.pbtxt":               {plain, map[string]string{"m.pbtxt": `item{id:0 name:"a"} item{id:1 name:"b"} item{id:2 name:"c"}`}, []string{"a", "b", "c"}, ""},
		"other JSON":            {plain, map[string]string{"m.json": `{"epochs": {"n": 3}}`}, nil, "another form"},
		"other JSON, inside":    {inside, map[string]string{"m.json": `{"epochs": {"n": 3}}`}, []string{"x", "y", "z"}, ""},
		"inside comes before":   {inside, map[string]string{"labels.txt": "g\nh\ni"}, []string{"x", "y", "z"}, ""},
		"labels.txt":            {plain, map[string]string{"labels.txt": "g\nh\ni"}, []string{"g", "h", "i"}, ""},
		"labels.txt of whom":    {plain, map[string]string{"labels.txt": "g\nh\ni", "n.tflite": "x"}, nil, "names none; rename it to m.txt"},
		"no background":         {plain, map[string]string{"m.txt": "a\nb"}, []string{"a", "b"}, "2 labels for 3 outputs: is the background class missing?"},
		"no background, inside": {modeltest.Mean(modeltest.Options{Labels: []string{"a", "b"}}), nil, []string{"a", "b"}, "2 labels for 3 outputs: is the background class missing?"},
		"from 1":                {plain, map[string]string{"m.txt": "1: a\n2: b\n3: c"}, []string{"", "a", "b", "c"}, "numbered from 1"},
		"from 1, in fact 0":     {plain, map[string]string{"m.txt": "1: a\n2: b"}, []string{"", "a", "b"}, ""},
		"a heading":             {plain, map[string]string{"m.txt": "Label\na\nb\nc"}, []string{"Label", "a", "b", "c"}, "heading"},
		"a comment":             {plain, map[string]string{"m.txt": "# mine\na\nb\nc"}, []string{"# mine", "a", "b", "c"}, "comment"},
		"another model's":       {plain, map[string]string{"m.txt": "a\nb\nc\nd\ne\nf"}, []string{"a", "b", "c", "d", "e", "f"}, "6 labels for 3 outputs: are they those of another model? (its labels are in m.txt)"},
		"not UTF-8":             {plain, map[string]string{"labels.txt": "\xff"}, nil, "labels.txt: line 1 of the labels is not valid UTF-8"},
		"not UTF-8 inside":      {modeltest.Mean(modeltest.Options{Labels: []string{"\xff"}}), nil, nil, "not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "m.tflite", tc.model)
			for file, text := range tc.files {
				write(t, dir, file, []byte(text))
			}
			l := listed(t, open(t, dir), "m")
			if !reflect.DeepEqual(l.Labels, tc.want) {
				t.Errorf("got labels %q, want %q", l.Labels, tc.want)
			}
			if failed := l.State == edgelens.ModelFailed; failed != (tc.problem != "") || !strings.Contains(l.Problem, tc.problem) {
				t.Errorf("%s %q, want %q", l.State, l.Problem, tc.problem)
			}
		})
	}
}

func TestDroppedFileErrors(t *testing.T) {
	whole := modeltest.FailingInvoke(modeltest.Options{})
	for name, tc := range map[string]struct {
		file string
		data []byte
		want string
	}{
		"empty":                     {"m.tflite", nil, "has only 0 bytes"},
		"short":                     {"m.tflite", []byte("TFL3"), "has only 4 bytes"},
		"truncated":                 {"m.tflite", modeltest.Truncated(), "looks truncated"},
		"one byte less":             {"m.tflite", whole[:len(whole)-1], "looks truncated"},
		"head only":                 {"m.tflite", whole[:8], "looks truncated"},
		"wrong identifier":          {"m.tflite", modeltest.WrongIdentifier(), "identifier TFL3 is not there"},
		"web page":                  {"m.tflite", []byte("\n<!DOCTYPE html>"), "is a web page"},
		"LFS placeholder":           {"m.tflite", []byte("version https://git-lfs.github.com/spec/v1\n"), "Git LFS placeholder"},
		"control character in name": {"a\x1b.tflite", whole, "rename it"},
		"name not UTF-8":            {"a\xff.tflite", whole, "rename it"},
		"name of the manifest":      {"mobilenet_v2_1.0_224_int8.tflite", whole, "has the name of another model"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, tc.file, tc.data)
			list := open(t, dir).List()
			l := list[len(list)-1]
			if l.State != edgelens.ModelFailed || !strings.Contains(l.Problem, tc.want) {
				t.Errorf("%s %q, want %q", l.State, l.Problem, tc.want)
			}
		})
	}
}

func TestTruncatedModelIsDetected(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	whole := modeltest.FailingInvoke(modeltest.Options{})
	for n := range whole {
		write(t, dir, "m.tflite", whole[:n])
		if l := listed(t, r, "m"); l.State != edgelens.ModelFailed {
			t.Errorf("%d of %d bytes: %s", n, len(whole), l.State)
		}
	}
}

func FuzzModelFile(f *testing.F) {
	f.Add(modeltest.Mean(modeltest.Options{}))
	f.Add(modeltest.FailingInvoke(modeltest.Options{Labels: modeltest.Labels()}))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		write(t, dir, "m.tflite", data)
		l := listed(t, open(t, dir), "m")
		if (l.State == edgelens.ModelFailed) != (l.Problem != "") {
			t.Errorf("%s with problem %q", l.State, l.Problem)
		}
	})
}
