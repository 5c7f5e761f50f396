package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"edgelens"
)

// DType is the element type of a tensor.
type DType uint8

// The element types that an image classifier's input and output may have.
const (
	InvalidDType DType = iota
	Uint8
	Int8
	Float32
)

// String returns the name in the API: "uint8", "int8", "float32".
func (t DType) String() string {
	switch t {
	case Uint8:
		return "uint8"
	case Int8:
		return "int8"
	case Float32:
		return "float32"
	default:
		return "invalid"
	}
}

// Size returns the bytes of one element.
func (t DType) Size() int {
	switch t {
	case Uint8, Int8:
		return 1
	case Float32:
		return 4
	default:
		return 0
	}
}

// TensorSpec describes one tensor of an interpreter. A quantized
// value q stands for the real value Scale * (q - ZeroPoint)
// (https://ai.google.dev/edge/litert/models/quantization_spec); Scale is 0
// where the tensor is not quantized.
type TensorSpec struct {
	Name      string
	Shape     []int
	DType     DType
	Scale     float64
	ZeroPoint int
}

// Elements returns the product of the shape.
func (t TensorSpec) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Bytes returns the size of the tensor's buffer.
func (t TensorSpec) Bytes() int { return t.Elements() * t.DType.Size() }

// HasValuesOf reports whether the same bytes stand for the same values in both tensors.
func (t TensorSpec) HasValuesOf(other TensorSpec) bool {
	return slices.Equal(t.Shape, other.Shape) && t.DType == other.DType && t.Scale == other.Scale && t.ZeroPoint == other.ZeroPoint
}

// Public returns the description for the API.
func (t TensorSpec) Public() *edgelens.Tensor {
	return &edgelens.Tensor{
		Name: t.Name, Shape: append([]int(nil), t.Shape...), DType: t.DType.String(),
		Scale: t.Scale, ZeroPoint: t.ZeroPoint,
	}
}

// InputSpec is what preprocessing needs: the image's size and how a pixel becomes
// an element of the input tensor.
type InputSpec struct {
	TensorSpec
	Normalization
	// NormalizationFrom is the source of Normalization.
	NormalizationFrom NormalizationSource
	Width, Height     int
	// Channels is 3 (RGB) or 1 (gray).
	Channels int
}

// InputBuffer is the destination of an image's tensor: Bytes has the size of the
// tensor of Spec. View is what the tensor is to show; its Fit must not be empty.
type InputBuffer struct {
	Spec  InputSpec
	View  edgelens.View
	Bytes []byte
}

// NewInputSpec reads an input tensor as an image, [1 height width channels]. If n
// is nil, the tensor's own quantization decides, or the default. The error wraps
// edgelens.ErrModel, with what is wrong with it.
func NewInputSpec(t TensorSpec, n *Normalization) (InputSpec, error) {
	spec := InputSpec{TensorSpec: t, Normalization: DefaultNormalization, NormalizationFrom: FromDefault}
	isChannels := func(d int) bool { return d == 3 || d == 1 }
	switch {
	case len(t.Shape) != 4 || t.Shape[0] != 1:
		return InputSpec{}, notClassifier("has an input of shape %v, not [1 height width 3], so it is not a model for one image", t.Shape)
	case isChannels(t.Shape[3]):
		spec.Height, spec.Width, spec.Channels = t.Shape[1], t.Shape[2], t.Shape[3]
	case isChannels(t.Shape[1]):
		return InputSpec{}, notClassifier("has an input of shape %v, with the channels first (NCHW, as PyTorch has it); convert it again with the channels last (NHWC), as onnx2tf and ai-edge-torch's to_channel_last_io do", t.Shape)
	default:
		return InputSpec{}, notClassifier("has an input of shape %v, which has neither 3 channels (RGB) nor 1 (gray), so it is not a model for images as cameras take them", t.Shape)
	}
	const most = 4096 // pixels a side; 48 MB of input, far above any edge model
	if h, w := spec.Height, spec.Width; h < 1 || w < 1 || h > most || w > most {
		return InputSpec{}, notClassifier("has an input of %dx%d pixels; 1 to %d a side can be used", w, h, most)
	}
	if t.DType == InvalidDType {
		return InputSpec{}, notClassifier("has an input that is not uint8, int8 or float32; convert it again with one of these")
	}
	if n != nil {
		spec.Normalization, spec.NormalizationFrom = *n, FromManifest
	} else if own, ok := byQuantization(t); ok {
		spec.Normalization, spec.NormalizationFrom = own, FromQuantization
	}
	if err := spec.Normalization.Check(); err != nil {
		return InputSpec{}, fmt.Errorf("%w: its normalization %w", edgelens.ErrModel, err)
	}
	return spec, nil
}

// Activation is the meaning of the numbers in the output tensor.
type Activation string

// The kinds of output. Auto is resolved when the model is loaded.
const (
	ActivationAuto          Activation = ""
	ActivationProbabilities Activation = "probabilities"
	ActivationLogits        Activation = "logits"
	// ActivationFeatures is that of every loaded model of edgelens.TaskEmbedding, and of no other.
	ActivationFeatures Activation = "features"
)

// Spec is the complete description of a loaded model.
type Spec struct {
	Model
	Input  InputSpec
	Output TensorSpec
	// Activation is ActivationProbabilities, ActivationLogits or ActivationFeatures.
	Activation Activation
	// Accelerators are those that may run it beside the processor.
	Accelerators []string
	// RunsOn, Delegate, Operators and DelegatedOperators are those of edgelens.Model.
	RunsOn                        edgelens.Runtime
	Delegate                      string
	Operators, DelegatedOperators int
	// Variant identifies what determines the result besides the file: normalization,
	// activation, labels, and the kernels that run it. It is part of the cache key.
	Variant string
}

// SetVariant computes Variant.
func (s *Spec) SetVariant() {
	h := sha256.New()
	fmt.Fprintf(h, "%v %s %q %v %s %q", s.Input.Normalization, s.Activation, s.Labels, s.RunsOn, s.Delegate, s.Accelerators) // never fails
	s.Variant = hex.EncodeToString(h.Sum(nil)[:8])
}

// Model is one model file in the models folder with its entry in the manifest. It
// is a value; its slices must not be changed.
type Model struct {
	edgelens.ModelRef
	// RequantizedFrom is the digest of the file in the models folder if a variant
	// made of it is used; empty otherwise.
	RequantizedFrom string
	// Path is the .tflite file.
	Path string
	// BuiltIn is true for a model that is compiled into the program; its Path is
	// valid in this process alone.
	BuiltIn   bool
	FileBytes int64
	Task      string
	// TaskGiven is true if the manifest sets the task.
	TaskGiven bool
	// Labels has one name a class; nil where none are known.
	Labels       []string
	labelsFormat labelFormat
	// Facts is what the file declares; nil if it cannot be read.
	Facts *edgelens.ModelFacts
	// Normalization is nil if neither the manifest nor the model's metadata sets one;
	// see NormalizationFrom.
	Normalization     *Normalization
	NormalizationFrom NormalizationSource
	// Activation is ActivationAuto if neither the manifest nor the graph determines it.
	Activation Activation
	// Fit is how images are shown to the model; empty if the manifest has none.
	Fit edgelens.Fit
	// Runtime is what the manifest has it run with; empty if it has none.
	Runtime string
}
