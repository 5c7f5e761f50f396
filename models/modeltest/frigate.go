package modeltest

import "edgelens/models"

// FrigateSide is the width and height of the input of Frigate's classifiers.
const FrigateSide = 224

// FrigateLabels are the names of the classes of the model of Frigate, in the order of its outputs: sorted, as Frigate has
// them.
func FrigateLabels() []string { return []string{"closed", "none", "open"} }

// Frigate returns a classifier of the form in which Frigate exports its own: uint8 pixels of 224x224, a QUANTIZE to int8,
// the network, a SOFTMAX, and a QUANTIZE to uint8. The range of its input is that which a converter measures on rather dark
// images, 0 to 0.92, so that the pixels' bytes are not what the range calls for; Frigate passes them as they are. The network
// is the mean of each channel: red is closed, green is none, blue is open.
func Frigate() []byte {
	g := new(graph)
	image, classes := []int32{1, FrigateSide, FrigateSide, 3}, []int32{1, 3}
	const measured = 0.92 / 255
	dark := quantization{scale: measured, zeroPoint: -128}
	in := g.tensor("serving_default_keras_tensor:0", image, models.Uint8, quantization{scale: measured})
	g.inputs = []int32{in}
	inside := g.tensor("image_int8", image, models.Int8, dark)
	g.op(opQuantize, []int32{in}, []int32{inside}, nil)
	pooled := g.tensor("mean", []int32{1, 1, 1, 3}, models.Int8, dark)
	g.op(opAveragePool2D, []int32{inside}, []int32{pooled}, poolOptions(FrigateSide))
	logits := g.tensor("logits", classes, models.Int8, dark)
	g.op(opReshape, []int32{pooled}, []int32{logits}, reshapeOptions(classes))
	shares := g.tensor("shares", classes, models.Int8, probability(models.Int8))
	g.op(opSoftmax, []int32{logits}, []int32{shares}, softmaxOptions(sharp))
	out := g.tensor("StatefulPartitionedCall_1:0", classes, models.Uint8, probability(models.Uint8))
	g.op(opQuantize, []int32{shares}, []int32{out}, nil)
	g.outputs = []int32{out}
	return g.bytes()
}

// sharp is the factor of the logits by which a clear difference between the channels gives a clear answer.
const sharp = 10
