// Package quality is the built-in model of snapshot quality: is what a camera
// or a terminal sent usable, and if not, why?
//
// The model is a MobileNetV2 of width 0.35 that this project trained on
// pictures that it made up; README.md is its model card: what each verdict
// means, how it was made, how often it is right. It is embedded, so it is there
// without a download. It takes a uint8 picture of 96x96 RGB pixels, as package
// preprocess makes it, and gives a uint8 probability for each verdict.
package quality

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the model
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"edgelens"
	"edgelens/models"
)

// Name is what the model is called wherever models are listed.
const Name = "snapshot_quality"

// fileName is that of the model where it is written to a folder.
const fileName = Name + ".tflite"

// The verdicts, in the order of the model's output. README.md defines them.
const (
	OK          = "ok"
	Blurred     = "blurred"     // out of focus or shaken
	Dark        = "dark"        // too little light to see by
	Overexposed = "overexposed" // a third of it or more is plain white
	Noisy       = "noisy"       // grain over everything
	Blocked     = "blocked"     // something on or near the lens hides half of it
	Blank       = "blank"       // there is nothing to see: a wall, a lens cap, no signal
)

//go:embed snapshot_quality.tflite
var file []byte

var digest = sync.OnceValue(func() string {
	sum := sha256.Sum256(file)
	return "sha256:" + hex.EncodeToString(sum[:])
})

// Labels returns the verdicts in the order of the model's output. The slice is
// the caller's.
func Labels() []string {
	return []string{OK, Blurred, Dark, Overexposed, Noisy, Blocked, Blank}
}

// Bytes returns the .tflite file. The slice is the caller's.
func Bytes() []byte { return bytes.Clone(file) }

// Model describes the model; its Path is empty, since the file is in no
// folder: see Place.
func Model() models.Model {
	normalization := models.DefaultNormalization
	return models.Model{
		ModelRef: edgelens.ModelRef{Name: Name, Digest: digest()}, FileBytes: int64(len(file)),
		Task: models.TaskClassification, Labels: Labels(),
		Normalization: &normalization, Activation: models.ActivationProbabilities,
	}
}

// Place writes the model into dir, which it makes, unless it is there already,
// and returns it with its Path: TensorFlow Lite maps models from files. It is safe for
// many goroutines and processes: the file appears whole or not at all. The
// error wraps edgelens.ErrModel.
func Place(dir string) (models.Model, error) {
	m := Model()
	m.Path = filepath.Join(dir, fileName)
	if have, err := os.ReadFile(m.Path); err == nil && bytes.Equal(have, file) {
		return m, nil
	}
	if err := write(dir, m.Path); err != nil {
		return models.Model{}, fmt.Errorf("%w: put the built-in model %s into its folder: %w; make the folder writable and see that its disk has room", edgelens.ErrModel, Name, err)
	}
	return m, nil
}

func write(dir, path string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+fileName+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // once renamed there is nothing to remove
	_, err = f.Write(file)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
