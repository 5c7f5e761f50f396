package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"

	"edgelens/models/tflitefile"
)

// The input's bytes are pixels: 0 is black and 255 white; training used
// (pixel - 127) / 127.5.
const (
	inputScale = float32(1 / 127.5)
	inputZero  = 127
)

// builder holds the graph that is built and, by the net's numbers, its tensors.
type builder struct {
	net     *net
	graph   *tflitefile.Subgraph
	tensors []int
}

// build quantizes a net: int8 inside, uint8 pixels in, uint8 probabilities out.
func build(n *net) (*tflitefile.Model, error) {
	b := &builder{net: n, graph: &tflitefile.Subgraph{Name: "main"}}
	shape := []int{1, n.Side, n.Side, 3}
	image := b.graph.Add(&tflitefile.Tensor{
		Name: "image", Shape: shape, Type: tflitefile.Uint8,
		Quantization: tflitefile.PerTensor(inputScale, inputZero),
	})
	b.tensors = append(b.tensors, b.value("pixels", shape, inputScale, inputZero-128))
	b.op(tflitefile.Quantize, 1, &tflitefile.QuantizeOptions{}, []int{image}, b.tensors[0])
	for i, l := range n.Layers {
		if err := b.layer(fmt.Sprintf("%02d_%s", i, l.Op), l); err != nil {
			return nil, fmt.Errorf("layer %d, %s: %w", i, l.Op, err)
		}
	}
	verdict := b.graph.Add(&tflitefile.Tensor{
		Name: "verdict", Shape: []int{1, len(n.Classes)}, Type: tflitefile.Uint8,
		Quantization: tflitefile.PerTensor(1.0/256, 0),
	})
	b.op(tflitefile.Quantize, 1, &tflitefile.QuantizeOptions{}, b.tensors[len(b.tensors)-1:], verdict)
	b.graph.Inputs, b.graph.Outputs = []int{image}, []int{verdict}
	files, err := labels(n.Classes)
	if err != nil {
		return nil, err
	}
	return &tflitefile.Model{
		Description: "edgelens snapshot quality",
		Subgraphs:   []*tflitefile.Subgraph{b.graph},
		Files:       files,
	}, nil
}

func (b *builder) layer(name string, l layer) error {
	for _, in := range l.Inputs {
		if in < 0 || in >= len(b.tensors) {
			return fmt.Errorf("it takes tensor %d, which does not exist yet", in)
		}
	}
	switch {
	case l.Op == "add" && len(l.Inputs) == 2:
		b.finish(name, b.shape(l, 0), l, tflitefile.Add, 2, &tflitefile.AddOptions{})
	case len(l.Inputs) != 1:
		return fmt.Errorf("it has %d inputs", len(l.Inputs))
	case l.Op == "convolution", l.Op == "depthwise":
		return b.convolution(name, l)
	case l.Op == "mean" && len(b.shape(l, 0)) == 4:
		in := b.shape(l, 0)
		b.finish(name, []int{1, in[3]}, l, tflitefile.Mean, 2, &tflitefile.ReducerOptions{},
			b.constant(name+"_axes", []int{2}, tflitefile.Int32, []byte{1, 0, 0, 0, 2, 0, 0, 0}, nil))
	case l.Op == "dense":
		return b.dense(name, l)
	case l.Op == "softmax":
		b.tensors = append(b.tensors, b.value(name, b.shape(l, 0), 1.0/256, -128))
		b.op(tflitefile.Softmax, 2, &tflitefile.SoftmaxOptions{Beta: 1}, []int{b.tensors[l.Inputs[0]]}, b.tensors[len(b.tensors)-1])
	default:
		return fmt.Errorf("such a layer is not supported")
	}
	return nil
}

func (b *builder) convolution(name string, l layer) error {
	in := b.shape(l, 0)
	if len(in) != 4 || len(l.Shape) != 4 || l.Shape[3] != in[3] || l.Stride < 1 {
		return fmt.Errorf("its weights have shape %v, its input %v and its stride is %d", l.Shape, in, l.Stride)
	}
	out, dimension := l.Shape[0], 0
	if l.Op == "depthwise" {
		out, dimension = l.Shape[3], 3
	}
	per := l.Shape[1] * l.Shape[2] * l.Shape[3]
	channel := func(i int) int { return i / per }
	if dimension == 3 {
		channel = func(i int) int { return i % out }
	}
	w, s, err := b.learned(name, l, out, channel, dimension)
	if err != nil {
		return err
	}
	act := tflitefile.ActivationNone
	if l.Relu6 {
		act = tflitefile.ActivationRelu6
	}
	stride := int32(l.Stride)
	size := (in[1] + l.Stride - 1) / l.Stride
	shape := []int{1, size, size, out}
	if dimension == 3 {
		b.finish(name, shape, l, tflitefile.DepthwiseConv2D, 3, &tflitefile.DepthwiseConv2DOptions{
			Padding: tflitefile.PaddingSame, StrideW: stride, StrideH: stride, DepthMultiplier: 1,
			DilationW: 1, DilationH: 1, FusedActivation: act,
		}, w, s)
		return nil
	}
	b.finish(name, shape, l, tflitefile.Conv2D, 3, &tflitefile.Conv2DOptions{
		Padding: tflitefile.PaddingSame, StrideW: stride, StrideH: stride,
		DilationW: 1, DilationH: 1, FusedActivation: act,
	}, w, s)
	return nil
}

func (b *builder) dense(name string, l layer) error {
	if in := b.shape(l, 0); len(in) != 2 || len(l.Shape) != 2 || l.Shape[1] != in[1] {
		return fmt.Errorf("its weights have shape %v and its input %v", l.Shape, in)
	}
	// One scale for all: per-channel weights of FULLY_CONNECTED are newer
	// than TensorFlow Lite 2.9.
	w, s, err := b.learned(name, l, 1, func(int) int { return 0 }, -1)
	if err != nil {
		return err
	}
	b.finish(name, []int{1, l.Shape[0]}, l, tflitefile.FullyConnected, 4, &tflitefile.FullyConnectedOptions{}, w, s)
	return nil
}

// learned adds a layer's weights and bias. dimension is that of the output
// channels in the weights, -1 for one scale for all.
func (b *builder) learned(name string, l layer, channels int, channel func(int) int, dimension int) (w, s int, err error) {
	count, outputs := 1, channels
	for _, d := range l.Shape {
		count *= d
	}
	if dimension < 0 {
		outputs = l.Shape[0]
	}
	floats, err := b.net.values(l.Weights, count)
	if err != nil {
		return 0, 0, err
	}
	biases, err := b.net.values(l.Bias, outputs)
	if err != nil {
		return 0, 0, err
	}
	quantized, scales := weights(floats, channels, channel)
	each := scales
	if dimension < 0 {
		each = make([]float32, outputs)
		for i := range each {
			each[i] = scales[0]
		}
	}
	input := b.graph.Tensors[b.tensors[l.Inputs[0]]].Quantization.Scale[0]
	added, biasScales := bias(biases, input, each)
	weightsQ, biasQ := tflitefile.PerChannel(scales, dimension), tflitefile.PerChannel(biasScales, 0)
	if dimension < 0 {
		weightsQ, biasQ = tflitefile.PerTensor(scales[0], 0), tflitefile.PerTensor(biasScales[0], 0)
	}
	w = b.constant(name+"_weights", l.Shape, tflitefile.Int8, quantized, weightsQ)
	s = b.constant(name+"_bias", []int{outputs}, tflitefile.Int32, added, biasQ)
	return w, s, nil
}

// finish adds the operator of a layer and its output tensor. more are
// inputs beside the layer's.
func (b *builder) finish(name string, shape []int, l layer, code tflitefile.BuiltinOperator, version int, options any, more ...int) {
	low, high := l.Range[0], l.Range[1]
	if l.Relu6 {
		low, high = 0, min(high, 6)
	}
	scale, zeroPoint := activation(low, high)
	var inputs []int
	for _, i := range l.Inputs {
		inputs = append(inputs, b.tensors[i])
	}
	b.tensors = append(b.tensors, b.value(name, shape, scale, zeroPoint))
	b.op(code, version, options, append(inputs, more...), b.tensors[len(b.tensors)-1])
}

func (b *builder) op(code tflitefile.BuiltinOperator, version int, options any, inputs []int, output int) {
	b.graph.Operators = append(b.graph.Operators, &tflitefile.Operator{
		Code: code, Version: version, Inputs: inputs, Outputs: []int{output}, Options: options,
	})
}

func (b *builder) value(name string, shape []int, scale float32, zeroPoint int64) int {
	return b.graph.Add(&tflitefile.Tensor{
		Name: name, Shape: shape, Type: tflitefile.Int8, Quantization: tflitefile.PerTensor(scale, zeroPoint),
	})
}

func (b *builder) constant(name string, shape []int, t tflitefile.TensorType, data []byte, q *tflitefile.Quantization) int {
	return b.graph.Add(&tflitefile.Tensor{Name: name, Shape: shape, Type: t, Data: data, Quantization: q})
}

// shape returns that of a layer's i-th input.
func (b *builder) shape(l layer, i int) []int {
	return b.graph.Tensors[b.tensors[l.Inputs[i]]].Shape
}

// labels packs the class names as TFLite Metadata does.
func labels(classes []string) ([]*zip.File, error) {
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	w, err := z.Create("labels.txt")
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(strings.Join(classes, "\n") + "\n")); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	r, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		return nil, err
	}
	return r.File, nil
}
