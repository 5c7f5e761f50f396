package tflitefile

import (
	"reflect"

	flatbuffers "github.com/google/flatbuffers/go"

	"edgelens/models/tflitefile/schema"
)

// TensorType is the type of a tensor's elements.
type TensorType = schema.TensorType

// The types that classifiers use; the others are in package schema.
const (
	Float32 = schema.TensorTypeFLOAT32
	Int32   = schema.TensorTypeINT32
	Uint8   = schema.TensorTypeUINT8
	Int64   = schema.TensorTypeINT64
	String  = schema.TensorTypeSTRING
	Bool    = schema.TensorTypeBOOL
	Int16   = schema.TensorTypeINT16
	Int8    = schema.TensorTypeINT8
)

// BuiltinOperator is an operator of the runtime.
type BuiltinOperator = schema.BuiltinOperator

// The operators that classifiers use; the others are in package
// schema.
const (
	Add             = schema.BuiltinOperatorADD
	AveragePool2D   = schema.BuiltinOperatorAVERAGE_POOL_2D
	Concatenation   = schema.BuiltinOperatorCONCATENATION
	Conv2D          = schema.BuiltinOperatorCONV_2D
	DepthwiseConv2D = schema.BuiltinOperatorDEPTHWISE_CONV_2D
	Dequantize      = schema.BuiltinOperatorDEQUANTIZE
	FullyConnected  = schema.BuiltinOperatorFULLY_CONNECTED
	Logistic        = schema.BuiltinOperatorLOGISTIC
	MaxPool2D       = schema.BuiltinOperatorMAX_POOL_2D
	Mul             = schema.BuiltinOperatorMUL
	Relu            = schema.BuiltinOperatorRELU
	Relu6           = schema.BuiltinOperatorRELU6
	Reshape         = schema.BuiltinOperatorRESHAPE
	ResizeBilinear  = schema.BuiltinOperatorRESIZE_BILINEAR
	Softmax         = schema.BuiltinOperatorSOFTMAX
	Custom          = schema.BuiltinOperatorCUSTOM
	Pad             = schema.BuiltinOperatorPAD
	Gather          = schema.BuiltinOperatorGATHER
	Mean            = schema.BuiltinOperatorMEAN
	Sub             = schema.BuiltinOperatorSUB
	Squeeze         = schema.BuiltinOperatorSQUEEZE
	Quantize        = schema.BuiltinOperatorQUANTIZE
	HardSwish       = schema.BuiltinOperatorHARD_SWISH
)

// Padding is how a window is handled at the edge of an image.
type Padding = schema.Padding

// The paddings.
const (
	PaddingSame  = schema.PaddingSAME
	PaddingValid = schema.PaddingVALID
)

// Activation is applied to the result of an operator.
type Activation = schema.Activation

// The activations that convolutions fuse.
const (
	ActivationNone  = schema.ActivationNONE
	ActivationRelu  = schema.ActivationRELU
	ActivationRelu6 = schema.ActivationRELU6
)

// The options of operators that classifiers use; the others are in
// package schema.
type (
	Conv2DOptions          = schema.Conv2DOptionsT
	DepthwiseConv2DOptions = schema.DepthwiseConv2DOptionsT
	Pool2DOptions          = schema.Pool2DOptionsT
	FullyConnectedOptions  = schema.FullyConnectedOptionsT
	SoftmaxOptions         = schema.SoftmaxOptionsT
	ConcatenationOptions   = schema.ConcatenationOptionsT
	AddOptions             = schema.AddOptionsT
	MulOptions             = schema.MulOptionsT
	SubOptions             = schema.SubOptionsT
	ReshapeOptions         = schema.ReshapeOptionsT
	SqueezeOptions         = schema.SqueezeOptionsT
	ReducerOptions         = schema.ReducerOptionsT
	PadOptions             = schema.PadOptionsT
	GatherOptions          = schema.GatherOptionsT
	QuantizeOptions        = schema.QuantizeOptionsT
	DequantizeOptions      = schema.DequantizeOptionsT
)

// emptyTable is a FlatBuffer table without fields, at position 4: its vtable,
// of 4 bytes for a table of 4 bytes, comes first.
var emptyTable = flatbuffers.Table{Bytes: []byte{4, 0, 4, 0, 4, 0, 0, 0}, Pos: 4}

// optionsKinds maps the type of a pointer to options to the union's member.
var optionsKinds = func() map[reflect.Type]schema.BuiltinOptions {
	kinds := map[reflect.Type]schema.BuiltinOptions{}
	for kind := range schema.EnumNamesBuiltinOptions {
		if kind != schema.BuiltinOptionsNONE {
			kinds[reflect.TypeOf(kind.UnPack(emptyTable).Value)] = kind
		}
	}
	return kinds
}()
