package modeltest

import (
	"bytes"

	"edgelens/models"
)

// The models and files below cannot be used; each comment names where that shows.

// Truncated returns the first half of a model. TFLite does not load it.
func Truncated() []byte {
	model := FailingInvoke(Options{})
	return model[:len(model)/2]
}

// WrongIdentifier returns a model whose identifier is not TFL3. TFLite does
// not load it.
func WrongIdentifier() []byte {
	model := bytes.Clone(Mean(Options{}))
	copy(model[4:8], "NOPE")
	return model
}

// TwoOutputs returns a model that loads and runs, but has two outputs: the
// probabilities and the logits.
func TwoOutputs(o Options) []byte {
	o.Softmax, o.Int8Inside = true, false
	g := newMean(&o)
	logits := g.ops[len(g.ops)-1].inputs[0]
	g.outputs = append(g.outputs, logits)
	return withLabels(g.bytes(), o.Labels)
}

// NotAnImage returns a float32 model that loads and runs, but whose input has
// shape [1 3], which is no image.
func NotAnImage() []byte {
	g := new(graph)
	in := g.tensor("numbers", []int32{1, 3}, models.Float32, quantization{})
	out := g.tensor("probabilities", []int32{1, 3}, models.Float32, quantization{})
	g.op(opSoftmax, []int32{in}, []int32{out}, softmaxOptions(1))
	g.inputs, g.outputs = []int32{in}, []int32{out}
	return g.bytes()
}

// FailingInvoke returns a model that loads and whose tensors are those of Mean
// without Softmax, but whose every Invoke fails: its last operator gathers
// class -1.
func FailingInvoke(o Options) []byte {
	o.Softmax, o.Int8Inside = false, false
	g := newMean(&o)
	logits := g.outputs[0]
	classes := g.constant("classes", []int32{0, 1, -1})
	out := g.tensor("gathered", []int32{1, 3}, o.DType, signedRange(o.DType))
	g.op(opGather, []int32{logits, classes}, []int32{out}, gatherOptions(1))
	g.outputs = []int32{out}
	return withLabels(g.bytes(), o.Labels)
}
