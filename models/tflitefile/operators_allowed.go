package tflitefile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"edgelens/models/tflitefile/schema"
)

// Operators of runtimes newer than the schema in package schema: element-wise, so
// without a shape or an index to check.
const (
	reluZeroToOne BuiltinOperator = 152
	sign          BuiltinOperator = 158
)

// parameters lists the operators that image classifiers use, each with those of its
// inputs that are shapes, axes or indexes, from which the runtime computes
// addresses. Operators not listed here are rejected: control flow,
// variables, recurrent layers, tables and lookups, whose course depends on more
// than the shapes of the tensors.
//
// A parameter must not depend on the image (checkParameters). Then every run
// accesses the same memory, so that one trial run is representative of all.
var parameters = map[BuiltinOperator][]int{
	Add: nil, AveragePool2D: nil, Concatenation: nil, Conv2D: nil, DepthwiseConv2D: nil, Dequantize: nil,
	FullyConnected: nil, Logistic: nil, MaxPool2D: nil, Mul: nil, Relu: nil, Relu6: nil, Softmax: nil, Sub: nil,
	Squeeze: nil, Quantize: nil, HardSwish: nil,
	Reshape: {1}, ResizeBilinear: {1}, Pad: {1}, Gather: {1}, Mean: {1},

	reluZeroToOne: nil, sign: nil,
	schema.BuiltinOperatorABS: nil, schema.BuiltinOperatorADD_N: nil, schema.BuiltinOperatorCAST: nil, schema.BuiltinOperatorCEIL: nil,
	schema.BuiltinOperatorCOS: nil, schema.BuiltinOperatorELU: nil, schema.BuiltinOperatorEXP: nil, schema.BuiltinOperatorFAKE_QUANT: nil,
	schema.BuiltinOperatorFLOOR: nil, schema.BuiltinOperatorGELU: nil, schema.BuiltinOperatorL2_NORMALIZATION: nil,
	schema.BuiltinOperatorL2_POOL_2D: nil, schema.BuiltinOperatorLEAKY_RELU: nil, schema.BuiltinOperatorLOCAL_RESPONSE_NORMALIZATION: nil,
	schema.BuiltinOperatorLOG: nil, schema.BuiltinOperatorLOG_SOFTMAX: nil, schema.BuiltinOperatorMAXIMUM: nil, schema.BuiltinOperatorMINIMUM: nil,
	schema.BuiltinOperatorNEG: nil, schema.BuiltinOperatorPOW: nil, schema.BuiltinOperatorPRELU: nil, schema.BuiltinOperatorRELU_N1_TO_1: nil,
	schema.BuiltinOperatorROUND: nil, schema.BuiltinOperatorRSQRT: nil, schema.BuiltinOperatorSIN: nil, schema.BuiltinOperatorSQRT: nil,
	schema.BuiltinOperatorSQUARE: nil, schema.BuiltinOperatorSQUARED_DIFFERENCE: nil, schema.BuiltinOperatorTANH: nil, schema.BuiltinOperatorZEROS_LIKE: nil,

	schema.BuiltinOperatorEQUAL: nil, schema.BuiltinOperatorNOT_EQUAL: nil, schema.BuiltinOperatorGREATER: nil, schema.BuiltinOperatorGREATER_EQUAL: nil,
	schema.BuiltinOperatorLESS: nil, schema.BuiltinOperatorLESS_EQUAL: nil, schema.BuiltinOperatorLOGICAL_AND: nil, schema.BuiltinOperatorLOGICAL_NOT: nil,
	schema.BuiltinOperatorLOGICAL_OR: nil, schema.BuiltinOperatorSELECT: nil, schema.BuiltinOperatorSELECT_V2: nil,

	schema.BuiltinOperatorBATCH_MATMUL: nil, schema.BuiltinOperatorDEPTH_TO_SPACE: nil, schema.BuiltinOperatorSPACE_TO_DEPTH: nil,
	schema.BuiltinOperatorPACK: nil, schema.BuiltinOperatorUNPACK: nil, schema.BuiltinOperatorRANK: nil, schema.BuiltinOperatorSHAPE: nil,

	schema.BuiltinOperatorARG_MAX: {1}, schema.BuiltinOperatorARG_MIN: {1}, schema.BuiltinOperatorBATCH_TO_SPACE_ND: {1, 2},
	schema.BuiltinOperatorBROADCAST_TO: {1}, schema.BuiltinOperatorCUMSUM: {1}, schema.BuiltinOperatorEXPAND_DIMS: {1},
	schema.BuiltinOperatorFILL: {0}, schema.BuiltinOperatorONE_HOT: {1},
	schema.BuiltinOperatorPADV2: {1}, schema.BuiltinOperatorRANGE: {0, 1, 2}, schema.BuiltinOperatorREDUCE_ALL: {1}, schema.BuiltinOperatorREDUCE_ANY: {1},
	schema.BuiltinOperatorREDUCE_MAX: {1}, schema.BuiltinOperatorREDUCE_MIN: {1}, schema.BuiltinOperatorREDUCE_PROD: {1},
	schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR: {1}, schema.BuiltinOperatorREVERSE_V2: {1}, schema.BuiltinOperatorSLICE: {1, 2},
	schema.BuiltinOperatorSPACE_TO_BATCH_ND: {1, 2}, schema.BuiltinOperatorSPLIT: {0}, schema.BuiltinOperatorSPLIT_V: {1, 2},
	schema.BuiltinOperatorSTRIDED_SLICE: {1, 2, 3}, schema.BuiltinOperatorSUM: {1}, schema.BuiltinOperatorTILE: {1},
	schema.BuiltinOperatorTOPK_V2: {1}, schema.BuiltinOperatorTRANSPOSE: {1},

	// Dividing whole numbers by 0 crashes the process.
	schema.BuiltinOperatorDIV: {0, 1}, schema.BuiltinOperatorFLOOR_DIV: {0, 1}, schema.BuiltinOperatorFLOOR_MOD: {0, 1},
}

// counts is how many inputs and outputs an operator has, all of them present. A
// maximum is the one number where it is 0.
type counts struct{ inputs, outputs, maxInputs, maxOutputs int }

// countsOf has the operators of parameters that are not among rules.
var countsOf = func() map[BuiltinOperator]counts {
	m := map[BuiltinOperator]counts{
		schema.BuiltinOperatorADD_N: {1, 1, maxMany, 0}, schema.BuiltinOperatorPACK: {1, 1, maxMany, 0},
		schema.BuiltinOperatorUNPACK: {1, 1, 0, maxMany}, schema.BuiltinOperatorSPLIT: {2, 1, 0, maxMany}, schema.BuiltinOperatorSPLIT_V: {3, 1, 0, maxMany},
		schema.BuiltinOperatorTOPK_V2: {2, 2, 0, 0},
	}
	for i, codes := range [][]BuiltinOperator{
		{
			reluZeroToOne, sign, schema.BuiltinOperatorABS, schema.BuiltinOperatorCAST, schema.BuiltinOperatorCEIL, schema.BuiltinOperatorCOS,
			schema.BuiltinOperatorELU, schema.BuiltinOperatorEXP, schema.BuiltinOperatorFAKE_QUANT, schema.BuiltinOperatorFLOOR,
			schema.BuiltinOperatorGELU, schema.BuiltinOperatorL2_NORMALIZATION, schema.BuiltinOperatorLOCAL_RESPONSE_NORMALIZATION,
			schema.BuiltinOperatorLOG, schema.BuiltinOperatorLOG_SOFTMAX, schema.BuiltinOperatorNEG, schema.BuiltinOperatorROUND,
			schema.BuiltinOperatorRSQRT, schema.BuiltinOperatorSIN, schema.BuiltinOperatorSQRT, schema.BuiltinOperatorSQUARE,
			schema.BuiltinOperatorZEROS_LIKE, schema.BuiltinOperatorLOGICAL_NOT, schema.BuiltinOperatorDEPTH_TO_SPACE,
			schema.BuiltinOperatorSPACE_TO_DEPTH, schema.BuiltinOperatorRANK, schema.BuiltinOperatorSHAPE,
		},
		{
			schema.BuiltinOperatorPOW, schema.BuiltinOperatorPRELU, schema.BuiltinOperatorSQUARED_DIFFERENCE, schema.BuiltinOperatorEQUAL,
			schema.BuiltinOperatorNOT_EQUAL, schema.BuiltinOperatorGREATER, schema.BuiltinOperatorGREATER_EQUAL, schema.BuiltinOperatorLESS,
			schema.BuiltinOperatorLESS_EQUAL, schema.BuiltinOperatorLOGICAL_AND, schema.BuiltinOperatorLOGICAL_OR, schema.BuiltinOperatorBATCH_MATMUL,
			schema.BuiltinOperatorARG_MAX, schema.BuiltinOperatorARG_MIN, schema.BuiltinOperatorBROADCAST_TO, schema.BuiltinOperatorCUMSUM,
			schema.BuiltinOperatorEXPAND_DIMS, schema.BuiltinOperatorFILL, schema.BuiltinOperatorREDUCE_ALL, schema.BuiltinOperatorREDUCE_ANY,
			schema.BuiltinOperatorREDUCE_PROD, schema.BuiltinOperatorREVERSE_V2, schema.BuiltinOperatorTILE, schema.BuiltinOperatorDIV,
			schema.BuiltinOperatorFLOOR_DIV, schema.BuiltinOperatorFLOOR_MOD,
		},
		{
			schema.BuiltinOperatorSELECT, schema.BuiltinOperatorSELECT_V2, schema.BuiltinOperatorBATCH_TO_SPACE_ND, schema.BuiltinOperatorPADV2,
			schema.BuiltinOperatorRANGE, schema.BuiltinOperatorSPACE_TO_BATCH_ND,
		},
		{schema.BuiltinOperatorONE_HOT, schema.BuiltinOperatorSTRIDED_SLICE},
	} {
		for _, code := range codes {
			m[code] = counts{inputs: i + 1, outputs: 1}
		}
	}
	return m
}()

// maxMany bounds the inputs and outputs of operators that may have many.
const maxMany = 1000

// dividesWhole are operators whose parameters matter for whole numbers alone.
var dividesWhole = []BuiltinOperator{schema.BuiltinOperatorDIV, schema.BuiltinOperatorFLOOR_DIV, schema.BuiltinOperatorFLOOR_MOD}

// checkKind returns an error if an operator cannot be used in an image classifier, with
// what to do. The error is a sentence of its own about the model.
func checkKind(o *Operator) error {
	if o.Code == Custom {
		return customOperator(o.CustomName)
	}
	if _, known := parameters[o.Code]; known {
		return nil
	}
	name := shown(o.Name())
	switch {
	case o.Code == schema.BuiltinOperatorNON_MAX_SUPPRESSION_V4 || o.Code == schema.BuiltinOperatorNON_MAX_SUPPRESSION_V5:
		return fmt.Errorf("seems to be a detector: it selects boxes with %s; use an image classifier", name)
	case o.Code < 0 || o.Code > schema.BuiltinOperatorGELU:
		return fmt.Errorf("has operator number %d, which is newer than this program; convert the model with an older TensorFlow, or use a newer edgelens", o.Code)
	}
	return fmt.Errorf("has the operator %s, which image classifiers do not need and which is not supported here; convert the model again without control flow, variables, lookups and recurrent layers", name)
}

// customOperator describes a model with an operator outside of TensorFlow Lite's
// own, and what to do.
func customOperator(name string) error {
	lower, name := strings.ToLower(name), shown(name)
	switch {
	case strings.HasPrefix(lower, "edgetpu"):
		return errors.New("is compiled for Google's Edge TPU (Coral) and runs nowhere else: edgelens has no support for that accelerator and its library libedgetpu; use the model from before edgetpu_compiler, whose name does not end in _edgetpu")
	case strings.HasPrefix(name, "Flex"):
		return fmt.Errorf("needs TensorFlow itself for the operator %s (Flex, \"select TensorFlow operators\"); convert it again with TensorFlow Lite's own operators alone (target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS])", name)
	case strings.HasPrefix(lower, "tflite_detection"):
		return fmt.Errorf("is a detector: it ends in %s; use an image classifier", name)
	case lower == "mfcc", strings.HasPrefix(lower, "audio"):
		return fmt.Errorf("is for sound: it has the operator %s; use an image classifier", name)
	case name == "":
		return errors.New("has a custom operator without a name; convert it again with TensorFlow Lite's own operators alone")
	}
	return fmt.Errorf("has the custom operator %.100q, which TensorFlow Lite does not have; convert it again with TensorFlow Lite's own operators alone", name)
}

// checkParameters proves that no shape, axis or index depends on the values of
// the image: the runtime does not check all of them when it runs.
func (g *Subgraph) checkParameters() error {
	depends := make([]bool, len(g.Tensors))
	for _, i := range g.Inputs {
		depends[i] = true
	}
	for n, o := range g.Operators {
		for _, at := range parameters[o.Code] {
			if at >= len(o.Inputs) || o.Inputs[at] == NoTensor || !depends[o.Inputs[at]] {
				continue
			}
			if slices.Contains(dividesWhole, o.Code) && !isWhole(g.Tensors[o.Inputs[at]].Type) {
				continue
			}
			return fmt.Errorf("has operator %d, %s, whose shape or indexes depend on what is in the image; convert it again with fixed sizes", n, o.Name())
		}
		// A shape is the same for every image.
		if o.Code == schema.BuiltinOperatorSHAPE || o.Code == schema.BuiltinOperatorRANK {
			continue
		}
		if slices.ContainsFunc(o.Inputs, func(i int) bool { return i != NoTensor && depends[i] }) {
			for _, i := range o.Outputs {
				if i != NoTensor {
					depends[i] = true
				}
			}
		}
	}
	return nil
}

func isWhole(t TensorType) bool {
	return t != Float32 && t != schema.TensorTypeFLOAT16 && t != schema.TensorTypeFLOAT64
}

// checkTranspose checks that the constant order contains each dimension once: the
// runtime writes out of bounds if one is repeated.
func checkTranspose(_ *Operator, in []*Tensor, out *Tensor) error {
	order, err := numbers(in[1])
	if err != nil {
		return err
	}
	rank := len(in[0].Shape)
	if len(order) != rank || len(out.Shape) != rank {
		return fmt.Errorf("that orders %d dimensions by %v", rank, order)
	}
	seen := make([]bool, rank)
	for i, d := range order {
		if d < 0 {
			d += rank
		}
		if d < 0 || d >= rank || seen[d] {
			return fmt.Errorf("that orders %d dimensions by %v", rank, order)
		}
		seen[d] = true
		if out.Shape[i] != in[0].Shape[d] {
			return wrongShapes(in[:1], out)
		}
	}
	return nil
}

// checkSlice checks that the slice lies inside: the runtime does not check where
// it begins.
func checkSlice(_ *Operator, in []*Tensor, out *Tensor) error {
	begin, err := numbers(in[1])
	if err != nil {
		return err
	}
	size, err := numbers(in[2])
	if err != nil {
		return err
	}
	if len(begin) != len(in[0].Shape) || len(size) != len(begin) || len(out.Shape) != len(begin) || in[0].Type != out.Type {
		return wrongShapes(in[:1], out)
	}
	for i, d := range in[0].Shape {
		if size[i] == -1 { // to the end
			size[i] = d - begin[i]
		}
		if begin[i] < 0 || size[i] < 1 || size[i] > d || begin[i] > d-size[i] || out.Shape[i] != size[i] {
			return fmt.Errorf("that takes %v from %v of shape %v", size, begin, in[0].Shape)
		}
	}
	return nil
}
