package rewrite

import (
	"fmt"
	"slices"

	"edgelens"
	"edgelens/models/tflitefile"
	"edgelens/models/tflitefile/schema"
)

// Requantize returns an int8 model of a legacy uint8 one: activations are
// shifted by 128, weights become symmetric (per channel, but for
// FULLY_CONNECTED), biases are rescaled with them, and operators get the
// version that supports int8. Inputs and outputs stay uint8, between two QUANTIZE
// operators, so that callers see no difference. An AVERAGE_POOL_2D over the
// whole image becomes a MEAN, which XNNPACK supports.
//
// m is not changed. The error wraps edgelens.ErrModel: the model is no legacy
// one, or has an operator that cannot be converted.
func Requantize(m *tflitefile.Model) (*tflitefile.Model, error) {
	if !m.Main().IsLegacy() {
		return nil, fmt.Errorf("%w: it does not compute in uint8, so there is nothing to requantize", edgelens.ErrModel)
	}
	c, g, err := copyMain(m)
	if err != nil {
		return nil, err
	}
	for _, o := range g.Operators {
		if err := g.requantizeOperator(o); err != nil {
			return nil, err
		}
	}
	g.dropUnused(c) // the old weights
	g.keepBoundary(c)
	for i, t := range g.Tensors {
		if t.Type == tflitefile.Uint8 && !g.isBoundary(i) {
			shift(t)
		}
	}
	c.Description = "requantized to int8 by edgelens"
	return c, nil
}

// signedVersion is the version of each convertible operator that supports int8
// (https://github.com/tensorflow/tensorflow/blob/v2.9.0/tensorflow/lite/tools/versioning/op_version.cc).
var signedVersion = map[tflitefile.BuiltinOperator]int{
	tflitefile.Conv2D: 3, tflitefile.DepthwiseConv2D: 3, tflitefile.FullyConnected: 4,
	tflitefile.Add: 2, tflitefile.Sub: 2, tflitefile.Mul: 2,
	tflitefile.AveragePool2D: 2, tflitefile.MaxPool2D: 2, tflitefile.Mean: 2,
	tflitefile.Softmax: 2, tflitefile.Logistic: 2, tflitefile.Relu: 2, tflitefile.Relu6: 2,
	tflitefile.Concatenation: 2, tflitefile.Pad: 2, tflitefile.Reshape: 1, tflitefile.Squeeze: 1,
	tflitefile.ResizeBilinear: 2, tflitefile.Dequantize: 2,
}

func (g *graph) requantizeOperator(o *tflitefile.Operator) error {
	if !g.touchesUint8(o) {
		return nil
	}
	version, known := signedVersion[o.Code]
	if !known {
		return fmt.Errorf("%w: it has the operator %s in uint8, which cannot be requantized", edgelens.ErrModel, o.Name())
	}
	o.Version = max(o.Version, version)
	switch o.Code {
	case tflitefile.Softmax, tflitefile.Logistic:
		// The runtime requires this of int8, and legacy models have it.
		if scale, zero, err := perTensor(g.Tensors[o.Outputs[0]]); err != nil || scale != 1.0/256 || zero != 0 {
			return fmt.Errorf("%w: its %s has scale %v and zero point %d, not 1/256 and 0, so it cannot be requantized", edgelens.ErrModel, o.Name(), scale, zero)
		}
	case tflitefile.Concatenation:
		if err := g.checkSameScales(o); err != nil {
			return err
		}
	case tflitefile.AveragePool2D:
		g.poolToMean(o)
	}
	if hasWeights(o) {
		return g.requantizeWeights(o)
	}
	return nil
}

func (g *graph) touchesUint8(o *tflitefile.Operator) bool {
	return slices.ContainsFunc(slices.Concat(o.Inputs, o.Outputs), func(i int) bool {
		return i != tflitefile.NoTensor && g.Tensors[i].Type == tflitefile.Uint8
	})
}

// checkSameScales checks what the runtime requires of an int8 CONCATENATION.
func (g *graph) checkSameScales(o *tflitefile.Operator) error {
	want, wantZero, err := perTensor(g.Tensors[o.Outputs[0]])
	if err != nil {
		return err
	}
	for _, i := range o.Inputs {
		scale, zero, err := perTensor(g.Tensors[i])
		if err != nil {
			return err
		}
		if scale != want || zero != wantZero {
			return fmt.Errorf("%w: its CONCATENATION joins tensors of different scales, so it cannot be requantized", edgelens.ErrModel)
		}
	}
	return nil
}

// poolToMean replaces an average over the whole image.
func (g *graph) poolToMean(o *tflitefile.Operator) {
	in, pool := g.Tensors[o.Inputs[0]], o.Options.(*tflitefile.Pool2DOptions)
	whole := int(pool.FilterH) == in.Shape[1] && int(pool.FilterW) == in.Shape[2] && pool.Padding == tflitefile.PaddingValid
	if !whole || pool.FusedActivation != tflitefile.ActivationNone {
		return
	}
	axes := g.Add(&tflitefile.Tensor{Name: "spatial axes", Shape: []int{2}, Type: tflitefile.Int32, Data: []byte{1, 0, 0, 0, 2, 0, 0, 0}})
	o.Code, o.Version, o.Options = tflitefile.Mean, signedVersion[tflitefile.Mean], &tflitefile.ReducerOptions{KeepDims: true}
	o.Inputs = append(o.Inputs, axes)
}

// shift makes a uint8 tensor the int8 one with the same values.
func shift(t *tflitefile.Tensor) {
	t.Type = tflitefile.Int8
	if t.Quantization != nil {
		q := *t.Quantization
		q.ZeroPoint = slices.Clone(q.ZeroPoint)
		for i := range q.ZeroPoint {
			q.ZeroPoint[i] -= 128
		}
		t.Quantization = &q
	}
	if t.Data != nil {
		t.Data = slices.Clone(t.Data)
		for i := range t.Data {
			t.Data[i] ^= 0x80
		}
	}
}

// keepBoundary puts QUANTIZE between the uint8 inputs and outputs and the
// graph, which computes with tensors of its own.
func (g *graph) keepBoundary(m *tflitefile.Model) {
	var first []*tflitefile.Operator
	inside := map[int]int{}
	for _, i := range g.Inputs {
		if g.Tensors[i].Type != tflitefile.Uint8 {
			continue
		}
		inner := g.signedTwin(i)
		inside[i] = inner
		first = append(first, quantize(i, inner))
	}
	for _, o := range g.Operators {
		for k, i := range o.Inputs {
			if inner, ok := inside[i]; ok {
				o.Inputs[k] = inner
			}
		}
	}
	g.Operators = append(first, g.Operators...)
	for k, i := range g.Outputs {
		if g.Tensors[i].Type != tflitefile.Uint8 {
			continue
		}
		// The old tensor is computed as before, and the new one is the output.
		outer := *g.Tensors[i]
		g.Tensors[i].Name += "_int8"
		g.Outputs[k] = g.Add(&outer)
		g.Operators = append(g.Operators, quantize(i, g.Outputs[k]))
		for _, s := range m.Signatures {
			for n := range s.Outputs {
				if s.Outputs[n].Tensor == i {
					s.Outputs[n].Tensor = g.Outputs[k]
				}
			}
		}
	}
}

// signedTwin adds a tensor like that of index i for the inside of the graph.
func (g *graph) signedTwin(i int) int {
	twin := *g.Tensors[i]
	twin.Name += "_int8"
	return g.Add(&twin)
}

func quantize(from, to int) *tflitefile.Operator {
	return &tflitefile.Operator{Code: tflitefile.Quantize, Version: 1, Inputs: []int{from}, Outputs: []int{to}, Options: &schema.QuantizeOptionsT{}}
}

func (g *graph) isBoundary(i int) bool {
	return slices.Contains(g.Inputs, i) || slices.Contains(g.Outputs, i)
}
