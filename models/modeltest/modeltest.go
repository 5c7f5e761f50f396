// Package modeltest builds tiny TFLite models and images in memory, for
// tests that need the output of a real interpreter but no downloaded file.
//
// The models classify images by their mean color: class 0 is red, 1 green,
// 2 blue. A test in this package proves that the real TFLite loads and runs
// each of them.
package modeltest

import (
	"fmt"

	"edgelens/models"
)

// Labels are the names of the three classes.
func Labels() []string { return []string{"red", "green", "blue"} }

// Options describes the model that Mean builds. The zero value is a float32 model for
// 8x8 pixels whose output is logits, without labels.
type Options struct {
	// Side is the input's width and height in pixels; 0 means 8.
	Side int
	// DType is the type of input and output; InvalidDType means Float32.
	// Quantized inputs have scale 1/127.5 and zero point 127 (uint8) or -1
	// (int8); a float32 input expects pixels as (p - 127.5) / 127.5.
	DType models.DType
	// Softmax ends the graph in probabilities, scale 1/256 and zero point 0
	// (uint8) or -128 (int8) where quantized. Otherwise the output is the
	// mean of each channel in [-1, 1], quantized as the input.
	Softmax bool
	// Int8Inside makes a Uint8 model compute in int8 between two QUANTIZE
	// operators, as models do that are converted with uint8 input and output.
	Int8Inside bool
	// Labels, if not nil, are packed into the file as TFLite Metadata does.
	Labels []string
}

// Mean returns a model with input [1 Side Side 3] and output [1 3]:
// AVERAGE_POOL_2D over the whole image, RESHAPE, and an optional SOFTMAX.
// It panics on impossible options, for they are a mistake in the test.
func Mean(o Options) []byte {
	g := newMean(&o)
	return withLabels(g.bytes(), o.Labels)
}

// newMean builds the graph of Mean and fills in the defaults of o.
func newMean(o *Options) *graph {
	if o.Side == 0 {
		o.Side = 8
	}
	if o.DType == models.InvalidDType {
		o.DType = models.Float32
	}
	if o.Side < 1 || (o.Int8Inside && o.DType != models.Uint8) {
		panic(fmt.Sprintf("modeltest: no such model: %+v", *o))
	}
	g := new(graph)
	image := []int32{1, int32(o.Side), int32(o.Side), 3}
	classes := []int32{1, 3}
	inside := o.DType
	if o.Int8Inside {
		inside = models.Int8
	}

	in := g.tensor("image", image, o.DType, signedRange(o.DType))
	g.inputs = []int32{in}
	x := in
	if inside != o.DType {
		x = g.tensor("image_int8", image, inside, signedRange(inside))
		g.op(opQuantize, []int32{in}, []int32{x}, nil)
	}
	pooled := g.tensor("mean", []int32{1, 1, 1, 3}, inside, signedRange(inside))
	g.op(opAveragePool2D, []int32{x}, []int32{pooled}, poolOptions(int32(o.Side)))
	logits := g.tensor("logits", classes, inside, signedRange(inside))
	g.op(opReshape, []int32{pooled}, []int32{logits}, reshapeOptions(classes))
	out, quantized := logits, signedRange
	if o.Softmax {
		quantized = probability
		out = g.tensor("probabilities", classes, inside, probability(inside))
		g.op(opSoftmax, []int32{logits}, []int32{out}, softmaxOptions(1))
	}
	if inside != o.DType {
		inner := out
		out = g.tensor("output", classes, o.DType, quantized(o.DType))
		g.op(opQuantize, []int32{inner}, []int32{out}, nil)
	}
	g.outputs = []int32{out}
	return g
}

// signedRange is how a value in [-1, 1] is quantized.
func signedRange(t models.DType) quantization {
	switch t {
	case models.Uint8:
		return quantization{scale: 1 / 127.5, zeroPoint: 127}
	case models.Int8:
		return quantization{scale: 1 / 127.5, zeroPoint: -1}
	}
	return quantization{}
}

// probability is how a value in [0, 1] is quantized, as TFLite's SOFTMAX
// requires.
func probability(t models.DType) quantization {
	switch t {
	case models.Uint8:
		return quantization{scale: 1.0 / 256, zeroPoint: 0}
	case models.Int8:
		return quantization{scale: 1.0 / 256, zeroPoint: -128}
	}
	return quantization{}
}
