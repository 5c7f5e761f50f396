package models

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const modelExt = ".tflite"

// modelFacts is what is found in a .tflite file.
type modelFacts struct {
	sha256 string // hex; empty where the file is no model
	size   int64
	// labels are those of its TFLite Metadata; nil where it has none.
	labels []string
	// modelErr and labelsErr say what is wrong with the file and with the
	// labels inside it.
	modelErr, labelsErr error
}

func readModelFile(f *os.File, size int64) (modelFacts, error) {
	facts := modelFacts{size: size}
	// A file that is no model, or too large for one, is not worth hashing.
	if facts.modelErr = checkTFLite(f, size); facts.modelErr != nil && size > maxModelBytes {
		return facts, nil
	}
	var err error
	if facts.sha256, err = sha256Of(f); err != nil {
		return facts, err
	}
	if facts.modelErr == nil {
		facts.labels, facts.labelsErr = metadataLabels(f, size)
	}
	return facts, nil
}

// labelsFacts is what is found in a file of labels.
type labelsFacts struct {
	sha256 string
	labels []string
	err    error // what is wrong with it
}

func readLabelsFile(f *os.File, _ int64) (labelsFacts, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxLabelsBytes+1))
	if err != nil {
		return labelsFacts{}, err
	}
	sum := sha256.Sum256(data)
	facts := labelsFacts{sha256: hex.EncodeToString(sum[:])}
	facts.labels, facts.err = parseLabels(data)
	return facts, nil
}

func sha256Of(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stem returns a model file's name without its folder and ".tflite".
func stem(file string) string {
	return strings.TrimSuffix(filepath.Base(file), modelExt)
}
