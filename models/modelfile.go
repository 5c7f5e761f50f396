package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"edgelens"
	"edgelens/models/tflitefile"
)

const modelExt = ".tflite"

// modelFacts is what a .tflite file contains.
type modelFacts struct {
	sha256 string // hex; empty if the file is no model
	size   int64
	// labels are those of its TFLite Metadata; nil where it has none.
	labels       []string
	labelsFormat labelFormat
	// about is nil if the file is no model.
	about *edgelens.ModelFacts
	// activation is the last operator of the graph; ActivationAuto if it is neither.
	activation Activation
	// normalization is that of its TFLite Metadata; nil where that gives none.
	normalization *Normalization
	// modelErr and labelsErr describe what is wrong with the file and with the
	// labels inside it.
	modelErr, labelsErr error
	// metadataErr describes what is wrong with the TFLite Metadata about tensors.
	metadataErr error
}

// MaxLoadedBytes is the maximum size of a model file: more than the memory of a
// small computer, since interpreters hold copies of the weights.
const MaxLoadedBytes = 512 << 20

func readModelFile(f *os.File, size int64) (modelFacts, error) {
	facts := modelFacts{size: size}
	if size > MaxLoadedBytes { // not worth hashing
		facts.modelErr = fmt.Errorf("has %d bytes; models of up to %d can be used", size, MaxLoadedBytes)
		return facts, nil
	}
	data := make([]byte, size) // io.ReadAll would take twice that, and more
	n, err := io.ReadFull(f, data)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return facts, err
	}
	data = data[:n]
	sum := sha256.Sum256(data)
	facts.sha256, facts.size = hex.EncodeToString(sum[:]), int64(len(data))
	model, err := tflitefile.Parse(data)
	if err != nil {
		facts.modelErr = err
		return facts, nil
	}
	facts.about, facts.activation = model.Facts(), activationOf(model.Main())
	metadata, err := model.TensorMetadata()
	if err == nil {
		facts.normalization, err = ofMetadata(metadata)
	}
	facts.metadataErr = err
	var named []string
	if metadata != nil {
		named = metadata.LabelFiles
	}
	facts.labels, facts.labelsFormat, facts.labelsErr = metadataLabels(data, named)
	return facts, nil
}

// activationOf returns probabilities if the graph ends in an operator that computes them.
func activationOf(g *tflitefile.Subgraph) Activation {
	switch last, _ := g.EndsIn(); last {
	case tflitefile.Softmax, tflitefile.Logistic:
		return ActivationProbabilities
	}
	return ActivationAuto
}

// labelsFacts is what a file of labels contains.
type labelsFacts struct {
	sha256 string
	labels []string
	form   labelFormat
	// lines are the names if no number in them is that of a class; nil with an error.
	lines []string
	err   error // what is wrong with it
}

func readLabelsFile(f *os.File, _ int64) (labelsFacts, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxLabelsBytes+1))
	if err != nil {
		return labelsFacts{}, err
	}
	sum := sha256.Sum256(data)
	facts := labelsFacts{sha256: hex.EncodeToString(sum[:])}
	if facts.labels, facts.form, facts.err = parseLabels(data); facts.err == nil {
		facts.lines = plainLines(data)
	}
	return facts, nil
}

// stem returns a model file's name without its folder and ".tflite".
func stem(file string) string {
	return strings.TrimSuffix(filepath.Base(file), modelExt)
}

func sha256Of(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
