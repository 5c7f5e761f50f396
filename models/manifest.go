package models

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"edgelens"
)

// ManifestFile is the name of a user's own manifest in the models folder.
const ManifestFile = "manifest.yaml"

// taskClassify is what a manifest may also call edgelens.TaskClassification.
const taskClassify = "classify"

//go:embed manifest.yaml
var builtinYAML []byte

// Manifest is a list of models with names.
type Manifest struct {
	// Default names the model of requests that name none; empty if the manifest has
	// no default.
	Default string
	Models  []Entry
}

// Entry describes one model in a manifest.
type Entry struct {
	Name string
	// File is the .tflite file.
	File File
	// Labels is nil if the manifest gives none; the labels then come from the model
	// file or a file beside it.
	Labels      *File
	Licence     string // SPDX identifier, for example "Apache-2.0"
	Description string
	Task        string
	// TaskGiven is true if the manifest sets the task rather than leaving it to the
	// default: a model without labels is then accepted.
	TaskGiven bool
	// Normalization is nil if the manifest sets none.
	Normalization *Normalization
	Activation    Activation
	// Fit is empty if the manifest sets none.
	Fit edgelens.Fit
	// Runtime is RuntimeAuto, RuntimeTFLite or RuntimeLiteRT, and empty if the manifest sets none.
	Runtime string
}

// File is one file in a manifest.
type File struct {
	// Name is a plain file name inside the models folder, never a path.
	Name string
	// SHA256 is 64 lower-case hex digits.
	SHA256 string
	// Size is in bytes.
	Size int64
	// Source is the public http(s) URL of the file; empty where there is none.
	Source string
}

// Builtin returns the manifest that is compiled into the program.
func Builtin() Manifest {
	m, err := ParseManifest(builtinYAML)
	if err != nil {
		panic(err) // a test parses it, so a released program cannot get here
	}
	return m
}

// ReadManifest returns the built-in manifest with dir's own manifest.yaml, if
// there is one, merged into it. The error wraps edgelens.ErrModel and lists
// every error.
func ReadManifest(dir string) (Manifest, error) {
	path := filepath.Join(dir, ManifestFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Builtin(), nil
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("%w: read the models folder's manifest: %w", edgelens.ErrModel, err)
	}
	own, err := ParseManifest(data)
	if err != nil {
		return Manifest{}, fmt.Errorf("read %s: %w", path, err)
	}
	merged, err := Builtin().With(own)
	if err != nil {
		return Manifest{}, fmt.Errorf("merge %s with the built-in manifest: %w", path, err)
	}
	return merged, nil
}

// With returns m with the entries of own added; an entry of the same name
// replaces m's as a whole, and own's default, if it has one, replaces m's. The
// error wraps edgelens.ErrModel.
func (m Manifest) With(own Manifest) (Manifest, error) {
	merged := Manifest{Default: m.Default, Models: append([]Entry(nil), m.Models...)}
	if own.Default != "" {
		merged.Default = own.Default
	}
	for _, e := range own.Models {
		if i := merged.indexOf(e.Name); i >= 0 {
			merged.Models[i] = e
		} else {
			merged.Models = append(merged.Models, e)
		}
	}
	if errs := fileConflicts(merged.Models); len(errs) > 0 {
		return Manifest{}, manifestError(errs)
	}
	return merged, nil
}

// Find returns the entry of that name or, failing that, the one whose file has
// that name without ".tflite".
func (m Manifest) Find(name string) (Entry, bool) {
	if i := m.indexOf(name); i >= 0 {
		return m.Models[i], true
	}
	for _, e := range m.Models {
		if stem(e.File.Name) == name {
			return e, true
		}
	}
	return Entry{}, false
}

func (m Manifest) indexOf(name string) int {
	for i, e := range m.Models {
		if e.Name == name {
			return i
		}
	}
	return -1
}

// files returns the files of the entry.
func (e Entry) files() []File {
	if e.Labels == nil {
		return []File{e.File}
	}
	return []File{e.File, *e.Labels}
}

func manifestError(errs []error) error {
	return fmt.Errorf("%w: the manifest has errors:\n%w", edgelens.ErrModel, errors.Join(errs...))
}
