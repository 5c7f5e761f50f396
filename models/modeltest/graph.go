package modeltest

import (
	"encoding/binary"
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"

	"edgelens/models"
)

// The tables below are written field by field in the order of TFLite's schema
// (https://github.com/tensorflow/tensorflow/blob/v2.9.0/tensorflow/lite/schema/schema.fbs,
// version 3); the slot numbers are that order.

// Values of the enum BuiltinOperator.
const (
	opAveragePool2D = 1
	opReshape       = 22
	opSoftmax       = 25
	opGather        = 36
	opQuantize      = 114
)

// Values of the union type BuiltinOptions.
const (
	optionsPool2D  = 5
	optionsSoftmax = 9
	optionsReshape = 17
	optionsGather  = 23
)

// Values of the enum TensorType.
const (
	typeFloat32 = 0
	typeInt32   = 2
	typeUint8   = 3
	typeInt8    = 9
)

const paddingValid = 1

// graph collects the parts of one subgraph.
type graph struct {
	tensors         []tensor
	ops             []operator
	inputs, outputs []int32
}

type quantization struct {
	scale     float32 // 0: not quantized
	zeroPoint int64
}

type tensor struct {
	name  string
	shape []int32
	typ   byte
	quant quantization
	data  []byte // nil: computed
}

type operator struct {
	code    int32
	inputs  []int32
	outputs []int32
	options *options
}

// options writes the table of an operator's options.
type options struct {
	kind  byte
	write func(b *flatbuffers.Builder) flatbuffers.UOffsetT
}

// tensor adds a tensor and returns its index.
func (g *graph) tensor(name string, shape []int32, t models.DType, q quantization) int32 {
	var typ byte
	switch t {
	case models.Uint8:
		typ = typeUint8
	case models.Int8:
		typ = typeInt8
	case models.Float32:
		typ = typeFloat32
	default:
		panic(fmt.Sprintf("modeltest: no tensor of type %v", t))
	}
	return g.add(tensor{name: name, shape: shape, typ: typ, quant: q})
}

// constant adds a vector of int32 and returns its index.
func (g *graph) constant(name string, values []int32) int32 {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return g.add(tensor{name: name, shape: []int32{int32(len(values))}, typ: typeInt32, data: data})
}

func (g *graph) add(t tensor) int32 {
	g.tensors = append(g.tensors, t)
	return int32(len(g.tensors) - 1)
}

func (g *graph) op(code int32, inputs, outputs []int32, o *options) {
	g.ops = append(g.ops, operator{code: code, inputs: inputs, outputs: outputs, options: o})
}

func poolOptions(side int32) *options {
	return &options{optionsPool2D, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		b.StartObject(6)
		b.PrependInt8Slot(0, paddingValid, 0)
		b.PrependInt32Slot(1, 1, 0) // stride_w
		b.PrependInt32Slot(2, 1, 0) // stride_h
		b.PrependInt32Slot(3, side, 0)
		b.PrependInt32Slot(4, side, 0)
		return b.EndObject()
	}}
}

func reshapeOptions(shape []int32) *options {
	return &options{optionsReshape, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		v := int32s(b, shape)
		b.StartObject(1)
		b.PrependUOffsetTSlot(0, v, 0)
		return b.EndObject()
	}}
}

func softmaxOptions(beta float32) *options {
	return &options{optionsSoftmax, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		b.StartObject(1)
		b.PrependFloat32Slot(0, beta, 0)
		return b.EndObject()
	}}
}

func gatherOptions(axis int32) *options {
	return &options{optionsGather, func(b *flatbuffers.Builder) flatbuffers.UOffsetT {
		b.StartObject(2)
		b.PrependInt32Slot(0, axis, 0)
		return b.EndObject()
	}}
}

// bytes returns the .tflite file.
func (g *graph) bytes() []byte {
	b := flatbuffers.NewBuilder(1 << 10)

	// Buffer 0 is empty by convention and stands for computed tensors.
	buffers := []flatbuffers.UOffsetT{buffer(b, nil)}
	tensors := make([]flatbuffers.UOffsetT, len(g.tensors))
	for i, t := range g.tensors {
		var index uint32
		if t.data != nil {
			index = uint32(len(buffers))
			buffers = append(buffers, buffer(b, t.data))
		}
		tensors[i] = t.write(b, index)
	}

	codeIndex := map[int32]uint32{}
	var codes, ops []flatbuffers.UOffsetT
	for _, o := range g.ops {
		if _, ok := codeIndex[o.code]; !ok {
			codeIndex[o.code] = uint32(len(codes))
			codes = append(codes, operatorCode(b, o.code))
		}
		ops = append(ops, o.write(b, codeIndex[o.code]))
	}

	tensorsV, inputsV, outputsV, opsV := offsets(b, tensors), int32s(b, g.inputs), int32s(b, g.outputs), offsets(b, ops)
	name := b.CreateString("main")
	b.StartObject(5)
	b.PrependUOffsetTSlot(0, tensorsV, 0)
	b.PrependUOffsetTSlot(1, inputsV, 0)
	b.PrependUOffsetTSlot(2, outputsV, 0)
	b.PrependUOffsetTSlot(3, opsV, 0)
	b.PrependUOffsetTSlot(4, name, 0)
	subgraph := b.EndObject()

	codesV, subgraphsV, buffersV := offsets(b, codes), offsets(b, []flatbuffers.UOffsetT{subgraph}), offsets(b, buffers)
	description := b.CreateString("edgelens test model")
	b.StartObject(8)
	b.PrependUint32Slot(0, 3, 0) // schema version
	b.PrependUOffsetTSlot(1, codesV, 0)
	b.PrependUOffsetTSlot(2, subgraphsV, 0)
	b.PrependUOffsetTSlot(3, description, 0)
	b.PrependUOffsetTSlot(4, buffersV, 0)
	b.FinishWithFileIdentifier(b.EndObject(), []byte("TFL3"))
	return b.FinishedBytes()
}

func (t tensor) write(b *flatbuffers.Builder, buffer uint32) flatbuffers.UOffsetT {
	var quant flatbuffers.UOffsetT
	if t.quant.scale != 0 {
		b.StartVector(4, 1, 4)
		b.PrependFloat32(t.quant.scale)
		scale := b.EndVector(1)
		b.StartVector(8, 1, 8)
		b.PrependInt64(t.quant.zeroPoint)
		zeroPoint := b.EndVector(1)
		b.StartObject(7)
		b.PrependUOffsetTSlot(2, scale, 0)
		b.PrependUOffsetTSlot(3, zeroPoint, 0)
		quant = b.EndObject()
	}
	shape, name := int32s(b, t.shape), b.CreateString(t.name)
	b.StartObject(8)
	b.PrependUOffsetTSlot(0, shape, 0)
	b.PrependByteSlot(1, t.typ, 0)
	b.PrependUint32Slot(2, buffer, 0)
	b.PrependUOffsetTSlot(3, name, 0)
	if quant != 0 {
		b.PrependUOffsetTSlot(4, quant, 0)
	}
	return b.EndObject()
}

func (o operator) write(b *flatbuffers.Builder, code uint32) flatbuffers.UOffsetT {
	inputs, outputs := int32s(b, o.inputs), int32s(b, o.outputs)
	var table flatbuffers.UOffsetT
	if o.options != nil {
		table = o.options.write(b)
	}
	b.StartObject(9)
	b.PrependUint32Slot(0, code, 0)
	b.PrependUOffsetTSlot(1, inputs, 0)
	b.PrependUOffsetTSlot(2, outputs, 0)
	if o.options != nil {
		b.PrependByteSlot(3, o.options.kind, 0)
		b.PrependUOffsetTSlot(4, table, 0)
	}
	return b.EndObject()
}

func operatorCode(b *flatbuffers.Builder, code int32) flatbuffers.UOffsetT {
	b.StartObject(4)
	b.PrependInt8Slot(0, int8(code), 0) // deprecated_builtin_code, for old readers
	b.PrependInt32Slot(2, 1, 0)         // version
	b.PrependInt32Slot(3, code, 0)
	return b.EndObject()
}

func buffer(b *flatbuffers.Builder, data []byte) flatbuffers.UOffsetT {
	var v flatbuffers.UOffsetT
	if data != nil {
		b.StartVector(1, len(data), 16) // the schema requires 16-byte alignment
		for i := len(data) - 1; i >= 0; i-- {
			b.PrependByte(data[i])
		}
		v = b.EndVector(len(data))
	}
	b.StartObject(1)
	if data != nil {
		b.PrependUOffsetTSlot(0, v, 0)
	}
	return b.EndObject()
}

// int32s writes a vector; FlatBuffers are built from back to front.
func int32s(b *flatbuffers.Builder, values []int32) flatbuffers.UOffsetT {
	b.StartVector(4, len(values), 4)
	for i := len(values) - 1; i >= 0; i-- {
		b.PrependInt32(values[i])
	}
	return b.EndVector(len(values))
}

func offsets(b *flatbuffers.Builder, values []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	b.StartVector(4, len(values), 4)
	for i := len(values) - 1; i >= 0; i-- {
		b.PrependUOffsetT(values[i])
	}
	return b.EndVector(len(values))
}
