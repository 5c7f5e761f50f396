//go:build cgo

package tflitefile_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
	"edgelens/models/tflitefile/schema"
)

// single is a graph of one operator on an image of 8x8 pixels with 4 channels.
type single struct {
	*tflitefile.Subgraph
	dtype tflitefile.TensorType
}

func (s single) value(shape ...int) int {
	t := &tflitefile.Tensor{Name: fmt.Sprintf("t%d", len(s.Tensors)), Shape: shape, Type: s.dtype}
	if s.dtype != tflitefile.Float32 {
		t.Quantization = &tflitefile.Quantization{Scale: []float32{1.0 / 256}, ZeroPoint: []int64{0}}
	}
	return s.Add(t)
}

// constant is a tensor of zeros.
func (s single) constant(shape ...int) int {
	i := s.value(shape...)
	s.Tensors[i].Data = make([]byte, s.Tensors[i].Bytes())
	return i
}

func (s single) numbers(values ...int) int {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return s.Add(&tflitefile.Tensor{Name: "numbers", Shape: []int{len(values)}, Type: tflitefile.Int32, Data: data})
}

// singles build the operator from the image and return its output.
var singles = map[string]func(s single, image int) (code tflitefile.BuiltinOperator, options any, out int, inputs []int){
	"ADD": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Add, &tflitefile.AddOptions{}, s.value(1, 8, 8, 4), []int{image, image}
	},
	"SUB": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Sub, &tflitefile.SubOptions{}, s.value(1, 8, 8, 4), []int{image, s.constant(1, 8, 8, 4)}
	},
	"MUL": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Mul, &tflitefile.MulOptions{}, s.value(1, 8, 8, 4), []int{image, image}
	},
	"MAXIMUM": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return schema.BuiltinOperatorMAXIMUM, nil, s.value(1, 8, 8, 4), []int{image, s.constant(1, 8, 8, 4)}
	},
	"MINIMUM": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return schema.BuiltinOperatorMINIMUM, nil, s.value(1, 8, 8, 4), []int{image, s.constant(1, 8, 8, 4)}
	},
	"PRELU": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return schema.BuiltinOperatorPRELU, nil, s.value(1, 8, 8, 4), []int{image, s.constant(1, 1, 4)}
	},
	"RELU":         elementwise(tflitefile.Relu, nil),
	"RELU6":        elementwise(tflitefile.Relu6, nil),
	"RELU_N1_TO_1": elementwise(schema.BuiltinOperatorRELU_N1_TO_1, nil),
	"LOGISTIC":     sigmoid(tflitefile.Logistic, 256, -128),
	"TANH":         sigmoid(schema.BuiltinOperatorTANH, 128, 0),
	"ELU":          elementwise(schema.BuiltinOperatorELU, nil),
	"ABS":          elementwise(schema.BuiltinOperatorABS, nil),
	"NEG":          elementwise(schema.BuiltinOperatorNEG, nil),
	"EXP":          elementwise(schema.BuiltinOperatorEXP, nil),
	"SQRT":         elementwise(schema.BuiltinOperatorSQRT, nil),
	"RSQRT":        elementwise(schema.BuiltinOperatorRSQRT, nil),
	"SQUARE":       elementwise(schema.BuiltinOperatorSQUARE, nil),
	"FLOOR":        elementwise(schema.BuiltinOperatorFLOOR, nil),
	"CEIL":         elementwise(schema.BuiltinOperatorCEIL, nil),
	"ROUND":        elementwise(schema.BuiltinOperatorROUND, nil),
	"HARD_SWISH":   elementwise(tflitefile.HardSwish, nil),
	"LEAKY_RELU":   elementwise(schema.BuiltinOperatorLEAKY_RELU, &schema.LeakyReluOptionsT{Alpha: 0.25}),
	"SOFTMAX":      elementwise(tflitefile.Softmax, &tflitefile.SoftmaxOptions{Beta: 1}),
	"QUANTIZE":     elementwise(tflitefile.Quantize, nil),
	"RESHAPE": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Reshape, nil, s.value(1, 256), []int{image, s.numbers(1, 256)}
	},
	"SQUEEZE": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Squeeze, nil, s.value(8, 8, 4), []int{image}
	},
	"MEAN": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Mean, &tflitefile.ReducerOptions{KeepDims: true}, s.value(1, 1, 1, 4), []int{image, s.numbers(1, 2)}
	},
	"MEAN without dimensions": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Mean, &tflitefile.ReducerOptions{}, s.value(1, 4), []int{image, s.numbers(1, 2)}
	},
	"SUM": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return schema.BuiltinOperatorSUM, &tflitefile.ReducerOptions{KeepDims: true}, s.value(1, 1, 1, 4), []int{image, s.numbers(1, 2)}
	},
	"PAD": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		pads := s.numbers(0, 0, 1, 1, 1, 1, 0, 0)
		s.Tensors[pads].Shape = []int{4, 2}
		return tflitefile.Pad, nil, s.value(1, 10, 10, 4), []int{image, pads}
	},
	"TRANSPOSE": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return schema.BuiltinOperatorTRANSPOSE, nil, s.value(1, 4, 8, 8), []int{image, s.numbers(0, 3, 1, 2)}
	},
	"SLICE": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return schema.BuiltinOperatorSLICE, nil, s.value(1, 4, 4, 4), []int{image, s.numbers(0, 2, 2, 0), s.numbers(1, 4, 4, 4)}
	},
	"CONCATENATION": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Concatenation, &tflitefile.ConcatenationOptions{Axis: 3}, s.value(1, 8, 8, 8), []int{image, image}
	},
	"RESIZE_BILINEAR": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.ResizeBilinear, &schema.ResizeBilinearOptionsT{}, s.value(1, 16, 16, 4), []int{image, s.numbers(16, 16)}
	},
	"RESIZE_NEAREST_NEIGHBOR": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR, nil, s.value(1, 16, 16, 4), []int{image, s.numbers(16, 16)}
	},
	"AVERAGE_POOL_2D": pool(tflitefile.AveragePool2D),
	"MAX_POOL_2D":     pool(tflitefile.MaxPool2D),
	"CONV_2D": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.Conv2D, &tflitefile.Conv2DOptions{StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1}, s.value(1, 8, 8, 2), []int{image, s.constant(2, 1, 1, 4), s.bias(2)}
	},
	"DEPTHWISE_CONV_2D": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.DepthwiseConv2D, &tflitefile.DepthwiseConv2DOptions{StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, DepthMultiplier: 1},
			s.value(1, 8, 8, 4), []int{image, s.constant(1, 3, 3, 4), s.bias(4)}
	},
	"FULLY_CONNECTED": func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return tflitefile.FullyConnected, &tflitefile.FullyConnectedOptions{}, s.value(1, 3), []int{image, s.constant(3, 256), s.bias(3)}
	},
}

func elementwise(code tflitefile.BuiltinOperator, options any) func(single, int) (tflitefile.BuiltinOperator, any, int, []int) {
	return func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return code, options, s.value(1, 8, 8, 4), []int{image}
	}
}

// sigmoid is an operator whose quantized output must have the scale 1/parts and, in
// int8, that zero point.
func sigmoid(code tflitefile.BuiltinOperator, parts float32, zero int64) func(single, int) (tflitefile.BuiltinOperator, any, int, []int) {
	return func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		out := s.value(1, 8, 8, 4)
		if q := s.Tensors[out].Quantization; q != nil {
			q.Scale[0], q.ZeroPoint[0] = 1/parts, zero
			if s.dtype == tflitefile.Uint8 {
				q.ZeroPoint[0] += 128
			}
		}
		return code, nil, out, []int{image}
	}
}

func pool(code tflitefile.BuiltinOperator) func(single, int) (tflitefile.BuiltinOperator, any, int, []int) {
	return func(s single, image int) (tflitefile.BuiltinOperator, any, int, []int) {
		return code, &tflitefile.Pool2DOptions{FilterH: 2, FilterW: 2, StrideH: 2, StrideW: 2}, s.value(1, 4, 4, 4), []int{image}
	}
}

// bias is one in the type that belongs to the operator's.
func (s single) bias(n int) int {
	if s.dtype == tflitefile.Float32 {
		return s.constant(n)
	}
	i := s.numbers(make([]int, n)...)
	s.Tensors[i].Quantization = &tflitefile.Quantization{Scale: []float32{1.0 / 65536}, ZeroPoint: []int64{0}}
	return i
}

// delegation returns what runs a file; false if TensorFlow Lite does not run it at all.
func delegation(t *testing.T, file []byte) (inference.Delegation, bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.tflite")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close() // a test
	i, err := m.NewInterpreter()
	if err != nil {
		return inference.Delegation{}, false
	}
	defer i.Close() // a test
	return i.Delegation(), true
}

// What is expected of XNNPACK is what it takes of single operators in each type; later
// versions of the library may take more.
func TestExpectedDelegation(t *testing.T) {
	for name, build := range singles {
		for _, dtype := range []tflitefile.TensorType{tflitefile.Float32, tflitefile.Int8, tflitefile.Uint8} {
			t.Run(name+"/"+dtype.String(), func(t *testing.T) {
				s := single{&tflitefile.Subgraph{Name: "main"}, dtype}
				image := s.value(1, 8, 8, 4)
				code, options, out, inputs := build(s, image)
				s.Inputs, s.Outputs = []int{image}, []int{out}
				o := &tflitefile.Operator{Code: code, Options: options, Inputs: inputs, Outputs: []int{out}}
				s.Operators = []*tflitefile.Operator{o}
				for o.Version = 1; o.Version <= 3; o.Version++ { // quantized types came with later ones
					file, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{s.Subgraph}}).Write()
					if err != nil {
						t.Fatal(err)
					}
					got, runs := delegation(t, file)
					if want := readModel(t, file).Facts().Operators[0].Delegated; runs && want != (got.Delegated == 1) && (want || strings.HasPrefix(tflite.New().Version(), "2.17.")) {
						t.Errorf("version %d: expected %v, but it runs %s; %s", o.Version, want, got, got.Refusal)
					}
				}
			})
		}
	}
}

// The same of whole networks.
func TestExpectedDelegationOfNetworks(t *testing.T) {
	for _, dtype := range []tflitefile.TensorType{tflitefile.Float32, tflitefile.Uint8} {
		t.Run(dtype.String(), func(t *testing.T) {
			file := modeltest.Network(dtype)
			expected := 0
			for _, o := range readModel(t, file).Facts().Operators {
				if o.Delegated {
					expected += o.Count
				}
			}
			if got, runs := delegation(t, file); !runs || got.Delegated != expected {
				t.Errorf("expected %d, but it runs %s; %s", expected, got, got.Refusal)
			}
		})
	}
}
