package models

import (
	"fmt"
	"math"

	"edgelens"
	"edgelens/models/tflitefile"
)

// Normalization maps a pixel value p in 0..255 to the real number that the model
// was trained on: (p - Mean) / Std, for each of red, green and blue. A gray model
// has the first alone. MobileNets use Mean = Std = 127.5, which gives [-1, 1].
type Normalization struct {
	Mean, Std [3]float64
}

// Uniform returns the normalization that is the same for all channels.
func Uniform(mean, std float64) Normalization {
	return Normalization{Mean: [3]float64{mean, mean, mean}, Std: [3]float64{std, std, std}}
}

// DefaultNormalization is used if no source gives another; it is that of every
// MobileNet.
var DefaultNormalization = Uniform(127.5, 127.5)

// NormalizationSource is where a normalization comes from. The first source that
// gives one is used.
type NormalizationSource string

// The sources.
const (
	FromManifest     NormalizationSource = "manifest"
	FromMetadata     NormalizationSource = "metadata"     // TFLite Metadata in the model
	FromQuantization NormalizationSource = "quantization" // of the input tensor
	FromDefault      NormalizationSource = "default"
	FromBuiltIn      NormalizationSource = "built_in" // compiled into the program
	FromLabelmap     NormalizationSource = "labelmap" // of classifiers that Frigate exports
)

// Check returns what is wrong with a normalization; the error continues a sentence
// about it.
func (n Normalization) Check() error {
	for c := range n.Mean {
		if !finite(n.Mean[c]) {
			return fmt.Errorf("subtracts a mean of %v", n.Mean[c])
		}
		if n.Std[c] == 0 || !finite(n.Std[c]) {
			return fmt.Errorf("divides by a std of %v", n.Std[c])
		}
	}
	return nil
}

// PublicNormalization returns the normalization as the API shows it: one value where all channels have
// the same.
func (s InputSpec) PublicNormalization() *edgelens.Normalization {
	shown := func(v [3]float64) []float64 {
		if s.Channels == 1 || v[0] == v[1] && v[1] == v[2] {
			return v[:1:1]
		}
		return v[:]
	}
	return &edgelens.Normalization{Mean: shown(s.Mean), Std: shown(s.Std), Source: string(s.NormalizationFrom)}
}

// NormalizationText returns a readable text: "(pixel - 127.5) / 127.5, by
// default".
func (s InputSpec) NormalizationText() string {
	n := s.PublicNormalization()
	shown := func(v []float64) string {
		if len(v) == 1 {
			return fmt.Sprint(v[0])
		}
		return fmt.Sprint(v)
	}
	origin := map[NormalizationSource]string{
		FromManifest: "by the manifest", FromMetadata: "by the metadata in the model", FromQuantization: "by the quantization of the input",
		FromDefault: "by default", FromBuiltIn: "built in", FromLabelmap: "as Frigate does",
	}[s.NormalizationFrom]
	return fmt.Sprintf("(pixel - %s) / %s, %s", shown(n.Mean), shown(n.Std), origin)
}

// ranges are the real numbers that 8-bit inputs commonly represent, from black to
// white, with the normalization that gives them.
var ranges = []struct {
	low, high float64
	n         Normalization
}{
	{-1, 1, Uniform(127.5, 127.5)},
	{0, 1, Uniform(0, 255)},
	{0, 255, Uniform(0, 1)},
	{-128, 127, Uniform(128, 1)},
}

// byQuantization returns the normalization that an 8-bit input's own quantization
// implies; false if it has none. A converter measures the range of the input on
// sample images. A range within a tenth of a common one is taken for it, as the
// samples may not have had black and white; otherwise the bytes are used as they
// are, so that black and white are the ends of the measured range.
func byQuantization(t TensorSpec) (Normalization, bool) {
	lowest := 0
	switch {
	case t.Scale == 0:
		return Normalization{}, false
	case t.DType == Int8:
		lowest = -128
	case t.DType != Uint8:
		return Normalization{}, false
	}
	low, high := t.Scale*float64(lowest-t.ZeroPoint), t.Scale*float64(lowest+255-t.ZeroPoint)
	for _, r := range ranges {
		near := (r.high - r.low) / 10
		if math.Abs(low-r.low) <= near && math.Abs(high-r.high) <= near {
			return r.n, true
		}
	}
	return Uniform(float64(t.ZeroPoint-lowest), 1/t.Scale), true
}

// ofMetadata returns the normalization in the TFLite Metadata, nil if there is
// none. The error is a sentence about the model.
func ofMetadata(m *tflitefile.TensorMetadata) (*Normalization, error) {
	if m == nil || m.Mean == nil && m.Std == nil {
		return nil, nil
	}
	channels := func(v []float32) ([3]float64, bool) {
		switch len(v) {
		case 1:
			return [3]float64{float64(v[0]), float64(v[0]), float64(v[0])}, true
		case 3:
			return [3]float64{float64(v[0]), float64(v[1]), float64(v[2])}, true
		}
		return [3]float64{}, false
	}
	n := &Normalization{}
	var meanOK, stdOK bool
	if n.Mean, meanOK = channels(m.Mean); !meanOK {
		return nil, fmt.Errorf("gives %d means for the channels of the image, not 1 or 3", len(m.Mean))
	}
	if n.Std, stdOK = channels(m.Std); !stdOK {
		return nil, fmt.Errorf("gives %d stds for the channels of the image, not 1 or 3", len(m.Std))
	}
	return n, n.Check()
}

// InputOf returns the input of a model as its file describes it, with the
// normalization that is in force.
func (m *Model) InputOf(f *edgelens.ModelFacts) (InputSpec, error) {
	if len(f.Inputs) != 1 {
		return InputSpec{}, checkCounts(len(f.Inputs), 1)
	}
	return m.NewInput(specOf(f.Inputs[0]))
}

// InputOfFile returns the input of a model of which only the file is known, with
// the normalization that is then in force. The error wraps edgelens.ErrModel.
func InputOfFile(file *tflitefile.Model) (InputSpec, error) {
	metadata, err := file.TensorMetadata()
	var m Model
	if err == nil {
		m.Normalization, err = ofMetadata(metadata)
	}
	if err != nil {
		return InputSpec{}, fmt.Errorf("%w: its TFLite Metadata %w", edgelens.ErrModel, err)
	}
	m.NormalizationFrom = FromMetadata
	return m.InputOf(file.Facts())
}

// NewInput is NewInputSpec with the normalization of the model.
func (m *Model) NewInput(t TensorSpec) (InputSpec, error) {
	spec, err := NewInputSpec(t, m.Normalization)
	if err == nil && m.Normalization != nil {
		spec.NormalizationFrom = m.NormalizationFrom
	}
	return spec, err
}
