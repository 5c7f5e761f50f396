package tflitefile

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"edgelens/models/tflitefile/schema"
)

// rule describes a valid operator. The runtime checks much of it too, but divides
// by strides, window sizes and scales before it does.
type rule struct {
	least, most int // inputs
	// options is a pointer of their type; nil where the operator has none, and
	// UnknownOptions where they are not read.
	// They may be left out where optional is set.
	options  any
	optional bool
	// quantized requires one scale for each 8- or 16-bit input and output except
	// the weights.
	quantized bool
	// check examines inputs (nil for an absent one) and the only output.
	check func(o *Operator, in []*Tensor, out *Tensor) error
}

// rules lists the operators that image classifiers use. All have
// one output.
var rules = map[BuiltinOperator]rule{
	Conv2D:          {2, 3, &Conv2DOptions{}, false, true, checkConv},
	DepthwiseConv2D: {3, 3, &DepthwiseConv2DOptions{}, false, true, checkDepthwise},
	FullyConnected:  {2, 3, &FullyConnectedOptions{}, false, true, checkFullyConnected},
	AveragePool2D:   {1, 1, &Pool2DOptions{}, false, true, checkPool},
	MaxPool2D:       {1, 1, &Pool2DOptions{}, false, true, checkPool},
	Softmax:         {1, 1, &SoftmaxOptions{}, false, true, checkSoftmax},
	Concatenation:   {1, 1000, &ConcatenationOptions{}, false, true, checkConcatenation},
	Pad:             {2, 2, &PadOptions{}, true, true, checkPad},
	Mean:            {2, 2, &ReducerOptions{}, true, true, checkMean},
	Reshape:         {1, 2, &ReshapeOptions{}, true, false, checkSameElements},
	Squeeze:         {1, 1, &SqueezeOptions{}, true, false, checkSameElements},
	ResizeBilinear:  {2, 2, &schema.ResizeBilinearOptionsT{}, false, true, checkResize},
	Gather:          {2, 2, &GatherOptions{}, true, false, checkGather},

	Add:                                {2, 2, &AddOptions{}, true, true, checkAdd},
	Sub:                                {2, 2, &SubOptions{}, true, true, checkAdd},
	Mul:                                {2, 2, &MulOptions{}, true, true, checkBroadcast},
	schema.BuiltinOperatorMAXIMUM:      {2, 2, &schema.MaximumMinimumOptionsT{}, true, false, checkBroadcast},
	schema.BuiltinOperatorMINIMUM:      {2, 2, &schema.MaximumMinimumOptionsT{}, true, false, checkBroadcast},
	Quantize:                           {1, 1, &QuantizeOptions{}, true, true, checkSameShape},
	Dequantize:                         {1, 1, &DequantizeOptions{}, true, true, checkSameShape},
	Relu:                               {1, 1, nil, true, true, checkSameShape},
	Relu6:                              {1, 1, nil, true, true, checkSameShape},
	Logistic:                           {1, 1, nil, true, true, checkSameShape},
	schema.BuiltinOperatorTANH:         {1, 1, nil, true, true, checkSameShape},
	schema.BuiltinOperatorRELU_N1_TO_1: {1, 1, nil, true, true, checkSameShape},
	HardSwish:                          {1, 1, &schema.HardSwishOptionsT{}, true, true, checkSameShape},
	schema.BuiltinOperatorLEAKY_RELU:   {1, 1, &schema.LeakyReluOptionsT{}, false, true, checkSameShape},

	schema.BuiltinOperatorTRANSPOSE:               {2, 2, &schema.TransposeOptionsT{}, true, false, checkTranspose},
	schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR: {2, 2, &schema.ResizeNearestNeighborOptionsT{}, true, false, checkResize},
	schema.BuiltinOperatorREDUCE_MAX:              {2, 2, &ReducerOptions{}, true, false, checkMean},
	schema.BuiltinOperatorREDUCE_MIN:              {2, 2, &ReducerOptions{}, true, false, checkMean},
	schema.BuiltinOperatorSUM:                     {2, 2, &ReducerOptions{}, true, true, checkMean},
	schema.BuiltinOperatorL2_POOL_2D:              {1, 1, &Pool2DOptions{}, false, true, checkPool},
	schema.BuiltinOperatorSLICE:                   {3, 3, UnknownOptions{}, true, false, checkSlice},
}

// checkRule checks an operator that has a rule; of others only the kind and the flow
// of tensors were checked. The error continues a sentence.
func (g *Subgraph) checkRule(o *Operator) error {
	r, known := rules[o.Code]
	if !known {
		return checkUnknown(o)
	}
	if len(o.Inputs) < r.least || len(o.Inputs) > r.most || len(o.Outputs) != 1 || o.Outputs[0] == NoTensor {
		return fmt.Errorf("with %d inputs and %d outputs", len(o.Inputs), len(o.Outputs))
	}
	if o.Options == nil && !r.optional || o.Options != nil && reflect.TypeOf(o.Options) != reflect.TypeOf(r.options) {
		return fmt.Errorf("with the wrong options (%T)", o.Options)
	}
	in := make([]*Tensor, len(o.Inputs))
	for i, index := range o.Inputs {
		if index == NoTensor {
			if i < max(2, r.least) {
				return fmt.Errorf("without input %d", i)
			}
			continue // the bias
		}
		in[i] = g.Tensors[index]
	}
	out := g.Tensors[o.Outputs[0]]
	if r.quantized {
		for _, t := range []*Tensor{in[0], out} {
			if err := checkScaled(t); err != nil {
				return err
			}
		}
	}
	return r.check(o, in, out)
}

// checkUnknown checks an operator that is not among rules. TensorFlow Lite's own kernels
// validate all but this: without its options (member 58 of the union), FAKE_QUANT
// quantizes with whatever is in memory. XNNPACK validates less: it looks for the strides
// of a STRIDED_SLICE in the input after the last one.
func checkUnknown(o *Operator) error {
	c := countsOf[o.Code]
	if len(o.Inputs) < c.inputs || len(o.Inputs) > max(c.inputs, c.maxInputs) || len(o.Outputs) < c.outputs || len(o.Outputs) > max(c.outputs, c.maxOutputs) {
		return fmt.Errorf("with %d inputs and %d outputs", len(o.Inputs), len(o.Outputs))
	}
	if i := slices.Index(o.Inputs, NoTensor); i >= 0 {
		return fmt.Errorf("without input %d", i)
	}
	if o.Code == schema.BuiltinOperatorFAKE_QUANT && o.Options != (UnknownOptions{Kind: 58}) {
		return errors.New("without its options")
	}
	return nil
}

// checkScaled checks the scale of a value that an operator computes
// with.
func checkScaled(t *Tensor) error {
	switch t.Type {
	case Uint8, Int8, Int16:
		if t.Quantization == nil || len(t.Quantization.Scale) != 1 {
			return fmt.Errorf("that computes with %.100q, which is %s without its one scale", t.Name, t.Type)
		}
	}
	return nil
}

// checkWeights is checkScaled for weights, which may have a scale for each
// channel.
func checkWeights(t *Tensor, dimension int) error {
	switch t.Type {
	case Uint8, Int8, Int16:
		if t.Quantization == nil || len(t.Quantization.Scale) == 0 {
			return fmt.Errorf("that computes with weights %.100q, which are %s without a scale", t.Name, t.Type)
		}
		if len(t.Quantization.Scale) > 1 && t.Quantization.Dimension != dimension {
			return fmt.Errorf("with weights %.100q that have scales along dimension %d, not %d", t.Name, t.Quantization.Dimension, dimension)
		}
	}
	return nil
}

// wrongShapes is the error for an operator whose tensors do not fit together.
func wrongShapes(in []*Tensor, out *Tensor) error {
	var shapes []any
	for _, t := range in {
		if t != nil {
			shapes = append(shapes, t.Shape)
		}
	}
	return fmt.Errorf("that cannot make shape %v of %v", out.Shape, shapes)
}

// window slides over an image along one side.
type window struct {
	size, stride, dilation int
	padding                Padding
}

const maxWindow = 1 << 16

// out returns the number of positions of the window on that many pixels; 0 if it
// cannot be used.
func (w window) out(pixels int) int {
	if w.size < 1 || w.stride < 1 || w.dilation < 1 || w.size > maxWindow || w.stride > maxWindow || w.dilation > maxWindow {
		return 0
	}
	all, size, stride, dilation := int64(pixels), int64(w.size), int64(w.stride), int64(w.dilation) // an int may have 32 bits
	switch w.padding {
	case PaddingSame:
		return int((all + stride - 1) / stride)
	case PaddingValid:
		return int(max(0, (all+stride-(size-1)*dilation-1)/stride))
	}
	return 0
}

// checkWindows checks the batch, height and width of a window that slides over in.
func checkWindows(in, out *Tensor, h, w window) bool {
	return len(in.Shape) == 4 && len(out.Shape) == 4 && in.Shape[0] == out.Shape[0] &&
		h.out(in.Shape[1]) == out.Shape[1] && w.out(in.Shape[2]) == out.Shape[2]
}

func checkActivation(a Activation) error {
	if a < ActivationNone || a > schema.ActivationSIGN_BIT {
		return fmt.Errorf("with activation %d, which is unknown", a)
	}
	return nil
}

// checkBias reports whether there is no bias or one number for each channel.
func checkBias(in []*Tensor, channels int) bool {
	return len(in) < 3 || in[2] == nil || in[2].Elements() == channels
}

func checkConv(o *Operator, in []*Tensor, out *Tensor) error {
	c, filter := o.Options.(*Conv2DOptions), in[1]
	if len(filter.Shape) != 4 ||
		!checkWindows(in[0], out, window{filter.Shape[1], int(c.StrideH), int(c.DilationH), c.Padding}, window{filter.Shape[2], int(c.StrideW), int(c.DilationW), c.Padding}) ||
		in[0].Shape[3]%filter.Shape[3] != 0 || filter.Shape[0] != out.Shape[3] || !checkBias(in, out.Shape[3]) {
		return wrongShapes(in, out)
	}
	if groups := in[0].Shape[3] / filter.Shape[3]; out.Shape[3]%groups != 0 {
		return wrongShapes(in, out)
	}
	if err := checkWeights(filter, 0); err != nil {
		return err
	}
	return checkActivation(c.FusedActivation)
}

func checkDepthwise(o *Operator, in []*Tensor, out *Tensor) error {
	c, filter := o.Options.(*DepthwiseConv2DOptions), in[1]
	if len(filter.Shape) != 4 || filter.Shape[0] != 1 ||
		!checkWindows(in[0], out, window{filter.Shape[1], int(c.StrideH), int(c.DilationH), c.Padding}, window{filter.Shape[2], int(c.StrideW), int(c.DilationW), c.Padding}) ||
		filter.Shape[3] != out.Shape[3] || out.Shape[3]%in[0].Shape[3] != 0 || !checkBias(in, out.Shape[3]) {
		return wrongShapes(in, out)
	}
	// Version 1 of the operator ignores its options.
	if m := int(c.DepthMultiplier); m < 0 || m != 0 && m != out.Shape[3]/in[0].Shape[3] {
		return fmt.Errorf("with depth multiplier %d, not %d", m, out.Shape[3]/in[0].Shape[3])
	}
	if err := checkWeights(filter, 3); err != nil {
		return err
	}
	return checkActivation(c.FusedActivation)
}

func checkPool(o *Operator, in []*Tensor, out *Tensor) error {
	p := o.Options.(*Pool2DOptions)
	if !checkWindows(in[0], out, window{int(p.FilterH), int(p.StrideH), 1, p.Padding}, window{int(p.FilterW), int(p.StrideW), 1, p.Padding}) ||
		in[0].Shape[3] != out.Shape[3] {
		return wrongShapes(in, out)
	}
	return checkActivation(p.FusedActivation)
}

func checkFullyConnected(o *Operator, in []*Tensor, out *Tensor) error {
	c, filter := o.Options.(*FullyConnectedOptions), in[1]
	if len(filter.Shape) != 2 || in[0].Elements()%filter.Shape[1] != 0 ||
		out.Elements() != in[0].Elements()/filter.Shape[1]*filter.Shape[0] || !checkBias(in, filter.Shape[0]) {
		return wrongShapes(in, out)
	}
	if c.WeightsFormat != 0 {
		return fmt.Errorf("with weights in format %d; only the plain one can be used", c.WeightsFormat)
	}
	if err := checkWeights(filter, 0); err != nil {
		return err
	}
	return checkActivation(c.FusedActivation)
}

func checkSoftmax(o *Operator, in []*Tensor, out *Tensor) error {
	if beta := o.Options.(*SoftmaxOptions).Beta; !(beta > 1e-6 && beta < 1e6) { // NaN too
		return fmt.Errorf("with beta %v", beta)
	}
	if len(out.Shape) == 0 || len(out.Shape) > 4 {
		return wrongShapes(in, out)
	}
	return checkSameShape(o, in, out)
}

func checkSameShape(_ *Operator, in []*Tensor, out *Tensor) error {
	if !slices.Equal(in[0].Shape, out.Shape) {
		return wrongShapes(in, out)
	}
	return nil
}

func checkSameElements(_ *Operator, in []*Tensor, out *Tensor) error {
	if in[0].Elements() != out.Elements() || in[0].Type != out.Type {
		return wrongShapes(in, out)
	}
	return nil
}
