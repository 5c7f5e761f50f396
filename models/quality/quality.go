// Package quality is the built-in model of snapshot quality: is the image of a
// camera or terminal usable, and if not, why?
//
// The model is a MobileNetV2 of width 0.35 that this project trained on
// synthetic images; README.md is its model card: the definition of each verdict,
// the training and the accuracy. It is embedded, so it is present without a
// download. It takes a uint8 image of 96x96 RGB pixels, as package
// preprocess makes it, and gives a uint8 probability for each verdict.
package quality

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the model
	"encoding/hex"
	"fmt"
	"os"
	"sync"

	"edgelens"
	"edgelens/models"
)

// Name is the model's name in all lists of models.
const Name = "snapshot_quality"

//go:embed snapshot_quality.tflite
var file []byte

var digest = sync.OnceValue(func() string {
	sum := sha256.Sum256(file)
	return "sha256:" + hex.EncodeToString(sum[:])
})

// Labels returns the verdicts in the order of the model's output. The slice is
// the caller's.
func Labels() []string {
	return []string{
		edgelens.QualityOK, edgelens.QualityBlurred, edgelens.QualityDark, edgelens.QualityOverexposed,
		edgelens.QualityNoisy, edgelens.QualityBlocked, edgelens.QualityBlank,
	}
}

// Bytes returns the .tflite file. The slice is the caller's.
func Bytes() []byte { return bytes.Clone(file) }

// Model returns the model. Its Path, under which TensorFlow Lite maps it, leads
// to an unnamed file that only this process can open, for as long as it runs:
// neither a folder nor a disk is needed. The error wraps edgelens.ErrModel.
func Model() (models.Model, error) {
	unpacked, err := unnamed()
	if err != nil {
		return models.Model{}, fmt.Errorf("%w: unpack the built-in model %s: %w", edgelens.ErrModel, Name, err)
	}
	normalization := models.DefaultNormalization
	return models.Model{
		ModelRef: edgelens.ModelRef{Name: Name, Digest: digest()}, Path: unpacked.path, BuiltIn: true, FileBytes: int64(len(file)),
		Task: edgelens.TaskClassification, Labels: Labels(),
		Normalization: &normalization, NormalizationFrom: models.FromBuiltIn, Activation: models.ActivationProbabilities,
	}, nil
}

// unnamed returns the path of the unnamed file, which is created once and
// never closed: it is in use for as long as the process runs.
var unnamed = sync.OnceValues(func() (opened, error) {
	f, path, err := models.NewUnnamedFile(Name, file)
	return opened{f, path}, err
})

// opened keeps a file from being closed by the garbage collector.
type opened struct {
	*os.File
	path string
}
