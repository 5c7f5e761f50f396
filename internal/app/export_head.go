package app

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference/requantize"
	"edgelens/internal/atomicfile"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
	"edgelens/learn/head"
	"edgelens/learn/heads"
	"edgelens/models"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
)

// ExportedHead is a head that was written as a model file.
type ExportedHead struct {
	File, Labels string
	Version      int
	// Notes are sentences on what of the head is not in the file.
	Notes []string
}

// ExportHead writes a version of a head, the live one for 0, with its extractor as one .tflite file, and its labels beside that. It
// fails if the file exists and replace is false. The file was tried before it is there.
func ExportHead(ctx context.Context, c *config.Config, name string, version int, out string, replace bool) (ExportedHead, error) {
	if filepath.Ext(out) != ".tflite" {
		return ExportedHead{}, fmt.Errorf("%w: %s does not end in .tflite", edgelens.ErrInvalid, out)
	}
	h, err := headToExport(openHeads(c), name, version)
	if err != nil {
		return ExportedHead{}, err
	}
	c.Inference.Interpreters = 1
	core, err := NewCore(c, telemetry.NewLogger(c.Log, io.Discard), prometheus.NewRegistry())
	if err != nil {
		return ExportedHead{}, err
	}
	defer CloseWithin(StopTimeout, core.Close) // the process ends next
	extractor, err := core.Loader.Describe(ctx, h.Extractor.Name)
	if err != nil {
		return ExportedHead{}, err
	}
	if extractor.Digest != h.Extractor.Digest {
		return ExportedHead{}, fmt.Errorf("%w: the head %s was trained on embeddings of %s with the digest %s, and that is %s now", edgelens.ErrModel, name, h.Extractor.Name, h.Extractor.Digest, extractor.Digest)
	}
	err = rewrite.File(extractor.Path, out, replace, func(m *tflitefile.Model) (*tflitefile.Model, error) { return appendHead(m, h) }, func(temporary string) error {
		return requantize.TryFile(ctx, OneTimeProber(core.runtimes), temporary, "", oneInterpreter())
	})
	if err != nil {
		return ExportedHead{}, err
	}
	labels := strings.TrimSuffix(out, ".tflite") + ".txt"
	list, err := models.FormatLabels(h.Labels)
	if err == nil {
		err = atomicfile.Write(labels, list, 0o644)
	}
	if err != nil {
		return ExportedHead{}, err
	}
	return ExportedHead{out, labels, h.Version, exportNotes(h, extractor)}, nil
}

func headToExport(stored *heads.Store, name string, version int) (*head.Head, error) {
	if version > 0 {
		return stored.Get(name, version)
	}
	return stored.Live(name)
}

// appendHead appends a head to its extractor, with the scale in the weights.
func appendHead(m *tflitefile.Model, h *head.Head) (*tflitefile.Model, error) {
	scaled := func(values []float64) []float64 {
		out := make([]float64, len(values))
		for i, v := range values {
			out[i] = h.Scale * v
		}
		return out
	}
	var weights [][]float64
	for class := range h.Labels {
		weights = append(weights, scaled(h.Params.Row(class)))
	}
	return rewrite.AppendClassifier(m, weights, scaled(h.Params.Biases()))
}

// exportNotes returns what of a head a model file does not have.
func exportNotes(h *head.Head, extractor *models.Spec) (notes []string) {
	if h.Threshold > 0 {
		notes = append(notes, fmt.Sprintf("the threshold is not in the file: below a probability of %g the head answers %q, and the file its best label", h.Threshold, head.Unknown))
	}
	if region := h.View.Region.String(); region != "" {
		notes = append(notes, fmt.Sprintf("the region is not in the file: the head is shown region=%s of an image", region))
	}
	if fit := h.View.Fit; fit != "" {
		notes = append(notes, fmt.Sprintf("the fit is not in the file: the head is shown images by fit=%s", fit))
	}
	if extractor.Input.NormalizationFrom == models.FromManifest {
		notes = append(notes, fmt.Sprintf("the normalization is not in the file: enter that of %s in manifest.yaml for it, too", extractor.Name))
	}
	return notes
}
