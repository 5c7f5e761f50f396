package models_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
	"edgelens/models/modeltest"
)

func TestMetadataLabels(t *testing.T) {
	plain := modeltest.Mean(modeltest.Options{})
	packed := func(contents map[string]string, names ...string) []byte {
		return modeltest.WithFiles(plain, contents, names...)
	}
	for name, tc := range map[string]struct {
		file []byte
		want []string
	}{
		"none":             {plain, nil},
		"labels.txt":       {modeltest.Mean(modeltest.Options{Labels: modeltest.Labels()}), modeltest.Labels()},
		"the only text":    {packed(map[string]string{"classes.txt": "a\nb\n", "x.bin": "\xff"}, "x.bin", "classes.txt"), []string{"a", "b"}},
		"two texts":        {packed(map[string]string{"a.txt": "a", "b.txt": "b"}, "a.txt", "b.txt"), nil},
		"a readme":         {packed(map[string]string{"readme.txt": "a\nb\n"}, "readme.txt"), nil},
		"a license":        {packed(map[string]string{"LICENSE.txt": "a\nb\n"}, "LICENSE.txt"), nil},
		"a vocabulary":     {packed(map[string]string{"vocab.txt": "a\nb\n"}, "vocab.txt"), nil},
		"among others":     {packed(map[string]string{"readme.txt": "x", "class_names.txt": "a\nb\n"}, "readme.txt", "class_names.txt"), []string{"a", "b"}},
		"label in name":    {packed(map[string]string{"a.txt": "a", "MyLabelMap": "x"}, "a.txt", "MyLabelMap"), []string{"x"}},
		"not a label text": {packed(map[string]string{"vocab.bin": "a"}, "vocab.bin"), nil},
		"translations":     {packed(map[string]string{"labels-de.txt": "rot", "labels.txt": "red"}, "labels-de.txt", "labels.txt"), []string{"red"}},
		"folder of labels": {packed(map[string]string{"labels/": "", "labels/a.txt": "red"}, "labels/", "labels/a.txt"), []string{"red"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := models.MetadataLabels(tc.file)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestMetadataOffsets reads both kinds of zip that tools append: with offsets
// from the start of the file and from the start of the zip.
func TestMetadataOffsets(t *testing.T) {
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	f, err := w.Create("labels.txt")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "red\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := append(modeltest.Mean(modeltest.Options{}), z.Bytes()...)
	got, err := models.MetadataLabels(file)
	if err != nil || !reflect.DeepEqual(got, []string{"red"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestMetadataErrors(t *testing.T) {
	plain := modeltest.Mean(modeltest.Options{})
	many := func(n, nameBytes int) []byte {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("%0*d", nameBytes, i)
		}
		return modeltest.WithFiles(plain, nil, names...)
	}
	damaged := modeltest.Mean(modeltest.Options{Labels: []string{strings.Repeat("red ", 100)}})
	copy(damaged[bytes.Index(damaged, []byte("labels.txt"))+len("labels.txt"):], "\xff\xff\xff\xff")
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"bomb":            {modeltest.WithFiles(plain, map[string]string{"labels.txt": strings.Repeat("a\n", 4<<20)}, "labels.txt"), "more than 4194304 bytes"},
		"too many labels": {modeltest.WithFiles(plain, map[string]string{"labels.txt": strings.Repeat("a\n", 100_001)}, "labels.txt"), "at most 100000"},
		"not UTF-8":       {modeltest.WithFiles(plain, map[string]string{"labels.txt": "\xff"}, "labels.txt"), "UTF-8"},
		"empty":           {modeltest.WithFiles(plain, map[string]string{"labels.txt": ""}, "labels.txt"), "empty"},
		"too many files":  {many(1001, 4), "1001 files"},
		"huge directory":  {many(20_000, 60), "larger than any label file"},
		"damaged":         {damaged, "unpack"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := models.MetadataLabels(tc.file)
			if !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want ErrModel with %q", err, tc.want)
			}
		})
	}
}

func FuzzMetadataLabels(f *testing.F) {
	f.Add(modeltest.Mean(modeltest.Options{}))
	f.Add(modeltest.Mean(modeltest.Options{Labels: modeltest.Labels()}))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := models.MetadataLabels(data)
		if err != nil && !errors.Is(err, edgelens.ErrModel) {
			t.Errorf("not ErrModel: %v", err)
		}
		if len(names) > 100_000 {
			t.Errorf("%d labels", len(names))
		}
	})
}
