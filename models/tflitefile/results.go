package tflitefile

import (
	"slices"

	"edgelens/models/tflitefile/schema"
)

// keepsValues are operators whose result has the values of their input, except
// for rounding.
var keepsValues = []BuiltinOperator{Reshape, Squeeze, Quantize, Dequantize, schema.BuiltinOperatorEXPAND_DIMS}

// EndsIn returns the operator that computes the values of the graph's first
// output, ignoring those that only reshape them; false if there is none.
func (g *Subgraph) EndsIn() (BuiltinOperator, bool) {
	if len(g.Outputs) == 0 {
		return 0, false
	}
	at := g.Outputs[0]
	for i := len(g.Operators) - 1; i >= 0; i-- { // operators come in the order in which they run
		o := g.Operators[i]
		if !slices.Contains(o.Outputs, at) {
			continue
		}
		if !slices.Contains(keepsValues, o.Code) || len(o.Inputs) == 0 {
			return o.Code, true
		}
		at = o.Inputs[0]
	}
	return 0, false
}
