package rewrite

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"edgelens"
	"edgelens/models/tflitefile"
)

// Dequantize returns a float32 model of a quantized one, with the same weights:
// it has four times the size, and shows what quantization saves. Inputs and
// outputs become float32 too; an input takes the real values of the quantized
// ones.
//
// m is not changed. The error wraps edgelens.ErrModel: the model is not
// quantized, or has an operator that cannot be converted.
func Dequantize(m *tflitefile.Model) (*tflitefile.Model, error) {
	c, g, err := copyMain(m)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(g.Operators, func(o *tflitefile.Operator) bool { return hasWeights(o) && isQuantized(g.Tensors[o.Inputs[1]]) }) {
		return nil, fmt.Errorf("%w: it is not quantized, so there is nothing to dequantize", edgelens.ErrModel)
	}
	g.dropQuantize(c)
	for _, o := range g.Operators {
		if err := g.dequantizeOperator(o); err != nil {
			return nil, err
		}
	}
	for _, t := range g.Tensors {
		if isQuantized(t) {
			if err := dequantizeTensor(t); err != nil {
				return nil, err
			}
		}
	}
	c.Description = "dequantized to float32 by edgelens"
	return c, nil
}

func isQuantized(t *tflitefile.Tensor) bool {
	return t.Type == tflitefile.Uint8 || t.Type == tflitefile.Int8
}

// dropQuantize removes the QUANTIZE and DEQUANTIZE operators: with real
// numbers they change nothing.
func (g *graph) dropQuantize(m *tflitefile.Model) {
	source := map[int]int{} // of what they made
	var kept []*tflitefile.Operator
	for _, o := range g.Operators {
		for k, i := range o.Inputs {
			if from, ok := source[i]; ok {
				o.Inputs[k] = from
			}
		}
		if o.Code == tflitefile.Quantize || o.Code == tflitefile.Dequantize {
			source[o.Outputs[0]] = o.Inputs[0]
			continue
		}
		kept = append(kept, o)
	}
	g.Operators = kept
	for k, i := range g.Outputs {
		from, ok := source[i]
		if !ok {
			continue
		}
		g.Tensors[from].Name = g.Tensors[i].Name
		g.Outputs[k] = from
		for _, s := range m.Signatures {
			for n := range s.Outputs {
				if s.Outputs[n].Tensor == i {
					s.Outputs[n].Tensor = from
				}
			}
		}
	}
	g.dropUnused(m)
}

// dropUnused removes tensors that are no longer referenced.
func (g *graph) dropUnused(m *tflitefile.Model) {
	used := make([]bool, len(g.Tensors))
	mark := func(list []int) {
		for _, i := range list {
			if i != tflitefile.NoTensor {
				used[i] = true
			}
		}
	}
	mark(g.Inputs)
	mark(g.Outputs)
	for _, o := range g.Operators {
		mark(o.Inputs)
		mark(o.Outputs)
	}
	moved := make([]int, len(g.Tensors))
	var kept []*tflitefile.Tensor
	for i, t := range g.Tensors {
		moved[i] = tflitefile.NoTensor
		if used[i] {
			moved[i] = len(kept)
			kept = append(kept, t)
		}
	}
	move := func(list []int) {
		for k, i := range list {
			if i != tflitefile.NoTensor {
				list[k] = moved[i]
			}
		}
	}
	move(g.Inputs)
	move(g.Outputs)
	for _, o := range g.Operators {
		move(o.Inputs)
		move(o.Outputs)
	}
	for s := range m.Signatures {
		for _, names := range []*[]tflitefile.TensorName{&m.Signatures[s].Inputs, &m.Signatures[s].Outputs} {
			for n := range *names {
				(*names)[n].Tensor = moved[(*names)[n].Tensor]
			}
			*names = slices.DeleteFunc(*names, func(t tflitefile.TensorName) bool { return t.Tensor == tflitefile.NoTensor })
		}
	}
	g.Tensors = kept
}

// dequantizable lists the operators that compute the same in float32 as in
// eight bits.
var dequantizable = []tflitefile.BuiltinOperator{
	tflitefile.Conv2D, tflitefile.DepthwiseConv2D, tflitefile.FullyConnected,
	tflitefile.Add, tflitefile.Sub, tflitefile.Mul,
	tflitefile.AveragePool2D, tflitefile.MaxPool2D, tflitefile.Mean,
	tflitefile.Softmax, tflitefile.Logistic, tflitefile.Relu, tflitefile.Relu6, tflitefile.HardSwish,
	tflitefile.Concatenation, tflitefile.Pad, tflitefile.Reshape, tflitefile.Squeeze, tflitefile.ResizeBilinear,
}

func (g *graph) dequantizeOperator(o *tflitefile.Operator) error {
	if !slices.Contains(dequantizable, o.Code) {
		return fmt.Errorf("%w: it has the operator %s, which cannot be dequantized", edgelens.ErrModel, o.Name())
	}
	o.Version = 1
	if c, ok := o.Options.(*tflitefile.DepthwiseConv2DOptions); ok && (c.DilationW != 1 || c.DilationH != 1) {
		o.Version = 2
	}
	b := biasOf(o)
	if b == tflitefile.NoTensor || !hasWeights(o) {
		return nil
	}
	bias, err := realBias(g.Tensors[b], g.Tensors[o.Inputs[0]], g.Tensors[o.Inputs[1]])
	if err != nil {
		return err
	}
	o.Inputs[2] = g.Add(bias)
	return nil
}

// realBias returns the bias in real numbers. Its own scale is not needed: it
// is the input's times the weights'.
func realBias(old, in, w *tflitefile.Tensor) (*tflitefile.Tensor, error) {
	if old.Type == tflitefile.Float32 {
		return old, nil
	}
	inScale, _, err := perTensor(in)
	if err != nil {
		return nil, err
	}
	if old.Type != tflitefile.Int32 || old.Data == nil || w.Quantization == nil || len(w.Quantization.Scale) == 0 {
		return nil, fmt.Errorf("%w: its bias %.100q is not constant int32, so it cannot be dequantized", edgelens.ErrModel, old.Name)
	}
	b := *old
	b.Type, b.Data, b.Quantization = tflitefile.Float32, nil, nil
	for i := range old.Elements() {
		scale := w.Quantization.Scale[i%len(w.Quantization.Scale)]
		b.Data = appendFloat32(b.Data, float64(int32At(old.Data, i))*float64(inScale)*float64(scale))
	}
	return &b, nil
}

// dequantizeTensor makes a tensor float32, with its data if it has any.
func dequantizeTensor(t *tflitefile.Tensor) error {
	q := t.Quantization
	if t.Data != nil && (q == nil || len(q.Scale) == 0) {
		return fmt.Errorf("%w: its constant %.100q has no scale, so it cannot be dequantized", edgelens.ErrModel, t.Name)
	}
	if t.Data != nil {
		channel := func(int) int { return 0 }
		if len(q.Scale) > 1 {
			channel = channelOf(t, q.Dimension)
		}
		data := make([]byte, 0, 4*len(t.Data))
		for i, raw := range t.Data {
			value := int64(raw)
			if t.Type == tflitefile.Int8 {
				value = int64(int8(raw))
			}
			c := channel(i)
			data = appendFloat32(data, float64(q.Scale[c])*float64(value-q.ZeroPoint[c]))
		}
		t.Data = data
	}
	t.Type, t.Quantization = tflitefile.Float32, nil
	return nil
}

func appendFloat32(data []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
}
