package modeltest

import (
	"encoding/binary"
	"math"

	"edgelens/models/tflitefile"
)

// Network returns a model for images of 4x4 pixels and three classes with one
// of each operator that a MobileNet has, quantized as legacy models are
// (Uint8), as new ones are (Int8), or not (Float32). Its weights are arbitrary.
func Network(typ tflitefile.TensorType) []byte {
	n := &netBuilder{typ: typ, g: &tflitefile.Subgraph{Name: "main"}}
	image := n.value("image", 1.0/128, 4, 4, 3)
	padded := n.value("padded", 1.0/128, 5, 5, 3)
	n.op(tflitefile.Pad, &tflitefile.PadOptions{}, padded, image, n.numbers([]int{4, 2}, 0, 0, 1, 0, 1, 0, 0, 0))
	conv := n.value("conv", 6.0/255, 4, 4, 4)
	n.op(tflitefile.Conv2D, &tflitefile.Conv2DOptions{Padding: tflitefile.PaddingValid, StrideW: 1, StrideH: 1, DilationW: 1, DilationH: 1, FusedActivation: tflitefile.ActivationRelu6},
		conv, padded, n.weights("w1", []int{4, 2, 2, 3}, 0), n.bias(4))
	depth := n.value("depth", 6.0/255, 4, 4, 4)
	n.op(tflitefile.DepthwiseConv2D, &tflitefile.DepthwiseConv2DOptions{StrideW: 1, StrideH: 1, DepthMultiplier: 1, DilationW: 1, DilationH: 1},
		depth, conv, n.weights("w2", []int{1, 3, 3, 4}, 3), n.bias(4))
	sum := n.value("sum", 12.0/255, 4, 4, 4)
	n.op(tflitefile.Add, &tflitefile.AddOptions{PotScaleInt16: true}, sum, conv, depth)
	joined := n.value("joined", 12.0/255, 4, 4, 8)
	n.op(tflitefile.Concatenation, &tflitefile.ConcatenationOptions{Axis: 3}, joined, sum, sum)
	pooled := n.value("pooled", 12.0/255, 2, 2, 8)
	n.op(tflitefile.MaxPool2D, &tflitefile.Pool2DOptions{StrideW: 2, StrideH: 2, FilterW: 2, FilterH: 2, Padding: tflitefile.PaddingValid}, pooled, joined)
	mean := n.value("mean", 12.0/255, 1, 1, 8)
	n.op(tflitefile.Mean, &tflitefile.ReducerOptions{KeepDims: true}, mean, pooled, n.numbers([]int{2}, 1, 2))
	flat := n.add(&tflitefile.Tensor{Name: "flat", Shape: []int{1, 8}, Type: typ, Quantization: n.quantization(12.0 / 255)})
	n.op(tflitefile.Reshape, &tflitefile.ReshapeOptions{NewShape: []int32{1, 8}}, flat, mean)
	logits := n.add(&tflitefile.Tensor{Name: "logits", Shape: []int{1, 3}, Type: typ, Quantization: n.quantization(0.1)})
	n.op(tflitefile.FullyConnected, &tflitefile.FullyConnectedOptions{}, logits, flat, n.weights("w3", []int{3, 8}, perTensor), n.bias(3))
	scores := n.add(&tflitefile.Tensor{Name: "scores", Shape: []int{1, 3}, Type: typ, Quantization: n.quantization(1.0 / 256)})
	if q := n.g.Tensors[scores].Quantization; q != nil {
		q.ZeroPoint[0] = map[tflitefile.TensorType]int64{tflitefile.Int8: -128}[typ]
	}
	n.op(tflitefile.Softmax, &tflitefile.SoftmaxOptions{Beta: 1}, scores, logits)
	n.g.Inputs, n.g.Outputs = []int{image}, []int{scores}
	file, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{n.g}}).Write()
	if err != nil {
		panic(err) // it depends on no input
	}
	return file
}

type netBuilder struct {
	typ tflitefile.TensorType
	g   *tflitefile.Subgraph
}

func (n *netBuilder) add(t *tflitefile.Tensor) int { return n.g.Add(t) }

// quantization of values, centered on 0; nil for floats.
func (n *netBuilder) quantization(scale float32) *tflitefile.Quantization {
	switch n.typ {
	case tflitefile.Uint8:
		return tflitefile.PerTensor(scale, 128)
	case tflitefile.Int8:
		return tflitefile.PerTensor(scale, 0)
	}
	return nil
}

func (n *netBuilder) value(name string, scale float32, shape ...int) int {
	return n.add(&tflitefile.Tensor{Name: name, Shape: append([]int{1}, shape...), Type: n.typ, Quantization: n.quantization(scale)})
}

func (n *netBuilder) numbers(shape []int, values ...int) int {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return n.add(&tflitefile.Tensor{Name: "numbers", Shape: shape, Type: tflitefile.Int32, Data: data})
}

const weightScale = 0.01

// perTensor is the dimension of weights that have one scale: those of
// FULLY_CONNECTED, whose kernels support no others.
const perTensor = -1

// weights are those of a sine, which is in -1 to 1.
func (n *netBuilder) weights(name string, shape []int, dimension int) int {
	t := &tflitefile.Tensor{Name: name, Shape: shape, Type: n.typ}
	for i := range t.Elements() {
		w := math.Sin(float64(3*i + 1))
		switch n.typ {
		case tflitefile.Uint8:
			t.Data = append(t.Data, byte(128+w/weightScale))
		case tflitefile.Int8:
			t.Data = append(t.Data, byte(int8(w/weightScale)))
		default:
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(w)))
		}
	}
	switch n.typ {
	case tflitefile.Uint8:
		t.Quantization = tflitefile.PerTensor(weightScale, 128)
	case tflitefile.Int8:
		if dimension == perTensor {
			t.Quantization = tflitefile.PerTensor(weightScale, 0)
			break
		}
		scales := make([]float32, shape[dimension])
		for i := range scales {
			scales[i] = weightScale
		}
		t.Quantization = tflitefile.PerChannel(scales, dimension)
	}
	return n.add(t)
}

// bias is 0.1 for each channel of the operator that is added next.
func (n *netBuilder) bias(channels int) int {
	t := &tflitefile.Tensor{Name: "bias", Shape: []int{channels}, Type: tflitefile.Int32}
	if n.typ == tflitefile.Float32 {
		t.Type = tflitefile.Float32
	}
	for i := range channels {
		v := uint32(100 * (i + 1))
		if n.typ == tflitefile.Float32 {
			v = math.Float32bits(0.1 * float32(i+1))
		}
		t.Data = binary.LittleEndian.AppendUint32(t.Data, v)
	}
	return n.add(t)
}

// op appends an operator; a bias gets its scale from the input and weights.
func (n *netBuilder) op(code tflitefile.BuiltinOperator, options any, output int, inputs ...int) {
	if len(inputs) == 3 && n.typ != tflitefile.Float32 {
		x, bias := n.g.Tensors[inputs[0]].Quantization.Scale[0], n.g.Tensors[inputs[2]]
		bias.Quantization = tflitefile.PerTensor(x*weightScale, 0)
		if n.typ == tflitefile.Int8 {
			scales := make([]float32, bias.Shape[0])
			for i := range scales {
				scales[i] = x * weightScale
			}
			bias.Quantization = tflitefile.PerChannel(scales, 0)
		}
	}
	version := 1
	if n.typ == tflitefile.Int8 {
		version = map[tflitefile.BuiltinOperator]int{tflitefile.Conv2D: 3, tflitefile.DepthwiseConv2D: 3, tflitefile.FullyConnected: 4, tflitefile.Reshape: 1}[code]
		if version == 0 {
			version = 2
		}
	}
	n.g.Operators = append(n.g.Operators, &tflitefile.Operator{Code: code, Version: version, Inputs: inputs, Outputs: []int{output}, Options: options})
}
