package modeltest

import (
	"encoding/binary"
	"math"

	"edgelens/models"
	"edgelens/models/tflitefile"
)

// Brightness describes the classifier of brightness to build: its classes are dark,
// middle and bright. Each model is correct by its own declarations, which differ from
// what is usual. The zero value is a float32 model for 8x8 pixels as
// (p - 127.5) / 127.5 that ends in a SOFTMAX, without labels.
type Brightness struct {
	// Mean and Std are the normalization that the weights expect, for each channel;
	// a Std of 0 means 127.5 for both.
	Mean, Std [3]float64
	// Input is the type of the input, quantized by Scale and ZeroPoint where it is
	// an 8-bit type; InvalidDType means Float32.
	Input     models.DType
	Scale     float64
	ZeroPoint int
	// Last ends the graph: Softmax (0), Logistic, or -1 for neither.
	Last tflitefile.BuiltinOperator
	// Slopes and Offsets make the logits slope * brightness + offset, for a
	// brightness from 0 to 1; nil means those of dark, middle and bright.
	Slopes, Offsets []float64
	// OutputShape has as many elements as there are Slopes; nil means [1 N].
	OutputShape []int
	// Output quantizes the output with OutputScale and OutputZero; InvalidDType
	// means Float32.
	Output      models.DType
	OutputScale float64
	OutputZero  int
	// Metadata is the content of TFLITE_METADATA; nil where there is none.
	Metadata []byte
	// Labels, if not nil, are packed into the file as labels.txt.
	Labels []string
}

// NoActivation as Brightness.Last leaves the logits as they are.
const NoActivation tflitefile.BuiltinOperator = -1

// BrightnessLabels are the classes of Brightness.
func BrightnessLabels() []string { return []string{"dark", "middle", "bright"} }

// Gray returns a PNG of one gray level for a class of Brightness.
func Gray(class string) []byte {
	level := map[string]uint8{"dark": 40, "middle": 128, "bright": 215}[class]
	return Image(grayOf(level), 16, 16)
}

// File returns the .tflite file.
func (b Brightness) File() []byte {
	mean, std := b.Mean, b.Std
	if std == [3]float64{} {
		mean, std = [3]float64{127.5, 127.5, 127.5}, [3]float64{127.5, 127.5, 127.5}
	}
	if b.Slopes == nil {
		b.Slopes, b.Offsets = []float64{-60, 0, 60}, []float64{20, 0, -40}
	}
	n := &netBuilder{typ: tflitefile.Float32, g: &tflitefile.Subgraph{Name: "main"}}
	classes := len(b.Slopes)
	image := n.add(&tflitefile.Tensor{Name: "image", Shape: []int{1, 8, 8, 3}, Type: tensorType(b.Input), Quantization: perTensorOf(b.Input, b.Scale, b.ZeroPoint)})
	x := image
	if b.Input == models.Uint8 || b.Input == models.Int8 {
		x = n.value("real", 0, 8, 8, 3)
		n.op(tflitefile.Dequantize, nil, x, image)
		n.g.Operators[0].Version = 2
	}
	pooled := n.value("mean", 0, 1, 1, 3)
	n.op(tflitefile.AveragePool2D, &tflitefile.Pool2DOptions{Padding: tflitefile.PaddingValid, StrideW: 1, StrideH: 1, FilterW: 8, FilterH: 8}, pooled, x)
	var weights, bias []float32
	for i, slope := range b.Slopes {
		offset := b.Offsets[i]
		for c := range 3 {
			weights = append(weights, float32(slope*std[c]/255/3))
			offset += slope * mean[c] / 255 / 3
		}
		bias = append(bias, float32(offset))
	}
	scores := n.value("logits", 0, classes)
	n.op(tflitefile.FullyConnected, &tflitefile.FullyConnectedOptions{}, scores, pooled, n.floats([]int{classes, 3}, weights), n.floats([]int{classes}, bias))
	switch b.Last {
	case NoActivation:
	case tflitefile.Logistic:
		logits := scores
		scores = n.value("scores", 0, classes)
		n.op(tflitefile.Logistic, nil, scores, logits)
	default:
		logits := scores
		scores = n.value("scores", 0, classes)
		n.op(tflitefile.Softmax, &tflitefile.SoftmaxOptions{Beta: 1}, scores, logits)
	}
	shape := []int{1, classes}
	if b.OutputShape != nil {
		flat := scores
		shape = b.OutputShape
		scores = n.add(&tflitefile.Tensor{Name: "shaped", Shape: shape, Type: tflitefile.Float32})
		n.op(tflitefile.Reshape, nil, scores, flat, n.numbers([]int{len(shape)}, shape...))
	}
	if b.Output == models.Uint8 || b.Output == models.Int8 {
		real := scores
		scores = n.add(&tflitefile.Tensor{Name: "quantized", Shape: shape, Type: tensorType(b.Output), Quantization: perTensorOf(b.Output, b.OutputScale, b.OutputZero)})
		n.op(tflitefile.Quantize, nil, scores, real)
	}
	n.g.Inputs, n.g.Outputs = []int{image}, []int{scores}
	m := &tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{n.g}}
	if b.Metadata != nil {
		m.Metadata = []tflitefile.Metadata{{Name: "TFLITE_METADATA", Data: b.Metadata}}
	}
	file, err := m.Write()
	if err != nil {
		panic(err) // options that no model has are a mistake in the test
	}
	return withLabels(file, b.Labels)
}

func tensorType(t models.DType) tflitefile.TensorType {
	switch t {
	case models.Uint8:
		return tflitefile.Uint8
	case models.Int8:
		return tflitefile.Int8
	}
	return tflitefile.Float32
}

func perTensorOf(t models.DType, scale float64, zero int) *tflitefile.Quantization {
	if tensorType(t) == tflitefile.Float32 {
		return nil
	}
	return tflitefile.PerTensor(float32(scale), int64(zero))
}

// floats adds a constant of float32.
func (n *netBuilder) floats(shape []int, values []float32) int {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return n.add(&tflitefile.Tensor{Name: "floats", Shape: shape, Type: tflitefile.Float32, Data: data})
}
