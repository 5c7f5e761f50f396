package imagefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/imagefile"
)

func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.JPG", "b.png", "c.txt", "d.webp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		path string
		want []string // nil for an error
	}{
		"a folder":              {dir, []string{"a.JPG", "b.png", "d.webp"}},
		"a file of any name":    {filepath.Join(dir, "c.txt"), []string{"c.txt"}},
		"a folder of no images": {t.TempDir(), nil},
		"a missing file":        {filepath.Join(dir, "x.jpg"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := imagefile.List(test.path)
			var got []string
			for _, file := range files {
				got = append(got, filepath.Base(file))
			}
			if !slices.Equal(got, test.want) || (err == nil) != (test.want != nil) {
				t.Errorf("%q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, []byte("of the file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"-": "of stdin", file: "of the file"} {
		if got, err := imagefile.Read(strings.NewReader("of stdin"), name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := imagefile.Read(strings.NewReader(""), "-"); !errors.Is(err, edgelens.ErrNoImage) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := imagefile.Read(nil, filepath.Dir(file)); err == nil {
		t.Error("a folder was read")
	}
}
