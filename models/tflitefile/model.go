// Package tflitefile reads and writes TensorFlow Lite models: FlatBuffers with
// the identifier TFL3 (https://flatbuffers.dev/internals/; the schema is in
// package schema).
//
// Read trusts nothing. A file whose offsets leave it, whose shapes
// overflow or are empty, whose weights do not fill their tensors, whose
// operators name missing tensors or contradict their shapes, is
// rejected with a sentence, in time and memory bounded by the file's size,
// before TensorFlow Lite's C library sees it.
//
// Write makes a file of a Model that was read, changed, or built from nothing:
//
//	g := &tflitefile.Subgraph{Name: "main"}
//	in := g.Add(&tflitefile.Tensor{Name: "image", Shape: []int{1, 8, 8, 3}, Type: tflitefile.Int8,
//		Quantization: tflitefile.PerTensor(1/127.5, -1)})
//	out := g.Add(&tflitefile.Tensor{Name: "mean", Shape: []int{1, 1, 1, 3}, Type: tflitefile.Int8,
//		Quantization: tflitefile.PerTensor(1/127.5, -1)})
//	g.Operators = append(g.Operators, &tflitefile.Operator{
//		Code: tflitefile.AveragePool2D, Version: 2, Inputs: []int{in}, Outputs: []int{out},
//		Options: &tflitefile.Pool2DOptions{Padding: tflitefile.PaddingValid, StrideW: 1, StrideH: 1, FilterW: 8, FilterH: 8},
//	})
//	g.Inputs, g.Outputs = []int{in}, []int{out}
//	file, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{g}}).Write()
//
// Weights are tensors with Data: little-endian, row-major. Convolutions need
// them as [out height width in], depthwise ones as [1 height width channels],
// FULLY_CONNECTED as [out in], and an int32 bias whose scale is that of the
// input times that of the weights
// (https://ai.google.dev/edge/litert/models/quantization_spec).
package tflitefile

import (
	"archive/zip"

	"edgelens/models/tflitefile/schema"
)

// Model is a whole file. It is safe for concurrent reading.
type Model struct {
	Description string
	// Subgraphs holds the graph that runs first; others are branches and loops.
	Subgraphs []*Subgraph
	// Metadata are named blobs, such as TFLITE_METADATA.
	Metadata []Metadata
	// Signatures name inputs and outputs for callers.
	Signatures []Signature
	// Files are those that TFLite Metadata appended as a zip, such as labels;
	// Write copies them as they are.
	Files []*zip.File
}

// Main returns the graph that runs.
func (m *Model) Main() *Subgraph { return m.Subgraphs[0] }

// Subgraph is a list of operators in the order in which they run. Tensors are
// named by their index.
type Subgraph struct {
	Name            string
	Tensors         []*Tensor
	Inputs, Outputs []int
	Operators       []*Operator
}

// Add appends a tensor and returns its index.
func (g *Subgraph) Add(t *Tensor) int {
	g.Tensors = append(g.Tensors, t)
	return len(g.Tensors) - 1
}

// Tensor is a constant with Data, or a value that is computed or given.
type Tensor struct {
	Name string
	// Shape has no dimension below 1; it is empty for a scalar.
	Shape []int
	// ShapeSignature has -1 where a dimension may be changed; nil where none.
	ShapeSignature []int
	Type           TensorType
	// Quantization is nil where the tensor is not quantized.
	Quantization *Quantization
	// Data is little-endian and row-major; nil where the tensor is computed.
	// Tensors that were read share it with the file. Two tensors with the same
	// slice share one buffer when written.
	Data       []byte
	IsVariable bool
}

// Elements returns the product of the shape.
func (t *Tensor) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Bytes returns the size of the tensor's values; 0 for strings.
func (t *Tensor) Bytes() int { return t.Elements() * SizeOf(t.Type) }

// Quantization maps a quantized value q to Scale * (q - ZeroPoint).
type Quantization struct {
	// Scale and ZeroPoint have one entry, or one for each index of Dimension.
	// Both are empty where only Min and Max are known.
	Scale     []float32
	ZeroPoint []int64
	Dimension int
	// Min and Max are the values seen in training; they are not used to compute.
	Min, Max []float32
}

// PerTensor returns the quantization with one scale.
func PerTensor(scale float32, zeroPoint int64) *Quantization {
	return &Quantization{Scale: []float32{scale}, ZeroPoint: []int64{zeroPoint}}
}

// PerChannel returns the symmetric quantization with a scale for each index of
// a dimension: 0 for the weights of CONV_2D, 3 for DEPTHWISE_CONV_2D.
func PerChannel(scale []float32, dimension int) *Quantization {
	return &Quantization{Scale: scale, ZeroPoint: make([]int64, len(scale)), Dimension: dimension}
}

// Operator is one step of a graph.
type Operator struct {
	Code BuiltinOperator
	// CustomName is the name of an operator with the code Custom.
	CustomName string
	// Version is the minimum version that the runtime must have of the operator; 0
	// is written as 1.
	Version int
	// Inputs and Outputs are indexes of tensors; NoTensor stands for an
	// optional input that is not there.
	Inputs, Outputs []int
	// Options points to the operator's options, such as *Conv2DOptions; it is
	// nil if it has none, and UnknownOptions if this package does not
	// support them.
	Options any
	// CustomOptions belong to a custom operator.
	CustomOptions []byte

	mutating      []bool // variable inputs that are written to
	intermediates []int
}

// NoTensor is the index of an optional input that is not there.
const NoTensor = -1

// Name returns the builtin's name, or the custom operator's.
func (o *Operator) Name() string {
	if o.Code == Custom {
		return o.CustomName
	}
	return o.Code.String()
}

// UnknownOptions are options that this package cannot read, so that Write
// rejects the model.
type UnknownOptions struct {
	// Kind is the number of the union's member.
	Kind byte
}

// Metadata is a named blob.
type Metadata struct {
	Name string
	Data []byte
}

// Signature names the inputs and outputs of a subgraph for callers.
type Signature struct {
	Key             string
	Subgraph        int
	Inputs, Outputs []TensorName
}

// TensorName gives the tensor of that index a name.
type TensorName struct {
	Name   string
	Tensor int
}

// SizeOf returns the bytes of one element; 0 for strings and resources.
func SizeOf(t TensorType) int {
	switch t {
	case Uint8, Int8, Bool:
		return 1
	case Int16, schema.TensorTypeUINT16, schema.TensorTypeFLOAT16:
		return 2
	case Float32, Int32, schema.TensorTypeUINT32:
		return 4
	case Int64, schema.TensorTypeUINT64, schema.TensorTypeFLOAT64, schema.TensorTypeCOMPLEX64:
		return 8
	case schema.TensorTypeCOMPLEX128:
		return 16
	}
	return 0
}
