// Package rewrite derives models from a TensorFlow Lite model without its
// training data: a legacy uint8 model becomes an int8 one that XNNPACK supports
// (Requantize), and a quantized model becomes a float32 one with the same
// weights (Dequantize), for comparison.
//
// The arithmetic is that of TensorFlow Lite's quantization specification
// (https://ai.google.dev/edge/litert/models/quantization_spec): a quantized q
// stands for scale * (q - zero point).
package rewrite

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"edgelens"
	"edgelens/models/tflitefile"
)

// graph is the subgraph that is being rewritten.
type graph struct{ *tflitefile.Subgraph }

// copyMain returns a copy of a model whose graph can be changed.
func copyMain(m *tflitefile.Model) (*tflitefile.Model, *graph, error) {
	if len(m.Subgraphs) != 1 {
		return nil, nil, fmt.Errorf("%w: it has %d graphs; models with one can be rewritten", edgelens.ErrModel, len(m.Subgraphs))
	}
	old := m.Main()
	g := &tflitefile.Subgraph{Name: old.Name, Inputs: slices.Clone(old.Inputs), Outputs: slices.Clone(old.Outputs)}
	for _, t := range old.Tensors {
		c := *t
		g.Tensors = append(g.Tensors, &c)
	}
	for _, o := range old.Operators {
		c := *o
		c.Inputs, c.Outputs = slices.Clone(o.Inputs), slices.Clone(o.Outputs)
		g.Operators = append(g.Operators, &c)
	}
	c := *m
	c.Subgraphs = []*tflitefile.Subgraph{g}
	c.Signatures = nil
	for _, s := range m.Signatures {
		s.Inputs, s.Outputs = slices.Clone(s.Inputs), slices.Clone(s.Outputs)
		c.Signatures = append(c.Signatures, s)
	}
	return &c, &graph{g}, nil
}

// hasWeights reports whether the operator's second input are weights and its
// third, if any, the bias.
func hasWeights(o *tflitefile.Operator) bool {
	switch o.Code {
	case tflitefile.Conv2D, tflitefile.DepthwiseConv2D, tflitefile.FullyConnected:
		return true
	}
	return false
}

// channelDimension returns along which dimension of the weights the output
// channels lie.
func channelDimension(o *tflitefile.Operator) int {
	if o.Code == tflitefile.DepthwiseConv2D {
		return 3
	}
	return 0
}

// biasOf returns the index of the bias, NoTensor where there is none.
func biasOf(o *tflitefile.Operator) int {
	if len(o.Inputs) < 3 {
		return tflitefile.NoTensor
	}
	return o.Inputs[2]
}

// channelOf returns a function from an element's index to its channel.
func channelOf(t *tflitefile.Tensor, dimension int) func(int) int {
	inner := 1
	for _, d := range t.Shape[dimension+1:] {
		inner *= d
	}
	channels := t.Shape[dimension]
	return func(i int) int { return i / inner % channels }
}

// perTensor returns the one scale and zero point of a tensor.
func perTensor(t *tflitefile.Tensor) (scale float32, zeroPoint int64, err error) {
	if t.Quantization == nil || len(t.Quantization.Scale) != 1 {
		return 0, 0, fmt.Errorf("%w: its tensor %.100q has not one scale", edgelens.ErrModel, t.Name)
	}
	return t.Quantization.Scale[0], t.Quantization.ZeroPoint[0], nil
}

func int32At(data []byte, i int) int32 { return int32(binary.LittleEndian.Uint32(data[4*i:])) }

func appendInt32(data []byte, v float64) []byte {
	v = math.Round(min(max(v, math.MinInt32), math.MaxInt32))
	return binary.LittleEndian.AppendUint32(data, uint32(int32(v)))
}
