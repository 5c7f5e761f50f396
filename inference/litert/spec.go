//go:build cgo && linux

package litert

import (
	"fmt"

	"edgelens"
	"edgelens/models"
	"edgelens/models/tflitefile"
)

// specsOf describes the only input and output of a file as this package reads it: it
// checks what it reads, and LiteRT does not. Interpreters compare it with LiteRT's own.
func specsOf(m *tflitefile.Model) (input, output models.TensorSpec, err error) {
	g := m.Main()
	if in, out := len(g.Inputs), len(g.Outputs); in != 1 || out != 1 {
		return input, output, fmt.Errorf("%w: it has %d inputs and %d outputs; a classifier of images has one of each", edgelens.ErrModel, in, out)
	}
	if err := checkSignature(m); err != nil {
		return input, output, err
	}
	if input, err = specOf(g.Tensors[g.Inputs[0]]); err != nil {
		return input, output, fmt.Errorf("%w: its input %w", edgelens.ErrModel, err)
	}
	if output, err = specOf(g.Tensors[g.Outputs[0]]); err != nil {
		return input, output, fmt.Errorf("%w: its output %w", edgelens.ErrModel, err)
	}
	return input, output, nil
}

// checkSignature rejects a file whose first signature, which LiteRT runs, is another
// graph than the first.
func checkSignature(m *tflitefile.Model) error {
	if len(m.Signatures) == 0 {
		return nil // LiteRT makes one of the first graph
	}
	s, g := m.Signatures[0], m.Main()
	if s.Subgraph == 0 && len(s.Inputs) == 1 && len(s.Outputs) == 1 && s.Inputs[0].Tensor == g.Inputs[0] && s.Outputs[0].Tensor == g.Outputs[0] {
		return nil
	}
	return fmt.Errorf("%w: its first signature, %q, does not run its first graph from end to end; convert it again with one signature", edgelens.ErrModel, s.Key)
}

// specOf describes a tensor. The error continues a sentence that begins with it.
func specOf(t *tflitefile.Tensor) (models.TensorSpec, error) {
	spec := models.TensorSpec{Name: t.Name, Shape: append([]int{}, t.Shape...)}
	switch t.Type {
	case tflitefile.Uint8:
		spec.DType = models.Uint8
	case tflitefile.Int8:
		spec.DType = models.Int8
	case tflitefile.Float32:
		spec.DType = models.Float32
	default:
		return spec, fmt.Errorf("is of type %s; uint8, int8 and float32 can be used", t.Type)
	}
	if len(spec.Shape) > maxDimensions {
		return spec, fmt.Errorf("has %d dimensions; LiteRT has at most %d", len(spec.Shape), maxDimensions)
	}
	if spec.Bytes() == 0 {
		return spec, fmt.Errorf("has shape %v, which is empty", spec.Shape)
	}
	if q := t.Quantization; q != nil && len(q.Scale) == 1 && len(q.ZeroPoint) == 1 {
		spec.Scale, spec.ZeroPoint = float64(q.Scale[0]), int(q.ZeroPoint[0])
	}
	return spec, nil
}

// maxDimensions is how many a layout of LiteRT has.
const maxDimensions = 8

// element returns LiteRT's number of an element type.
func element(t models.DType) int {
	switch t {
	case models.Float32:
		return 1
	case models.Uint8:
		return 3
	case models.Int8:
		return 9
	default:
		panic("litert: no element type " + t.String()) // specOf gives no other
	}
}
