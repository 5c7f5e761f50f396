package tflitefile

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/models/tflitefile/schema"
)

// Facts describes the model. Delegate coverage is what is expected of XNNPACK in
// TensorFlow Lite 2.17; loading the model counts what it takes.
func (m *Model) Facts() *edgelens.ModelFacts {
	g := m.Main()
	f := &edgelens.ModelFacts{Inputs: g.public(g.Inputs), Outputs: g.public(g.Outputs)}
	for _, d := range m.Metadata {
		f.Metadata = append(f.Metadata, d.Name)
	}
	for _, file := range m.Files {
		f.Files = append(f.Files, strings.ToValidUTF8(file.Name, "\uFFFD"))
	}
	for _, t := range g.Tensors {
		if t.Data != nil && t.isWeight() {
			f.Parameters += int64(t.Elements())
		}
	}
	var taken int64
	counts := map[edgelens.OperatorCount]int{}
	for _, o := range g.Operators {
		n, delegated := g.multiplyAdds(o), g.delegated(o)
		f.MultiplyAdds += n
		if delegated {
			taken += n
		}
		counts[edgelens.OperatorCount{Name: shown(o.Name()), Type: g.typeOf(o), Delegated: delegated}]++
	}
	if f.MultiplyAdds > 0 {
		f.DelegateShare = float64(taken) / float64(f.MultiplyAdds)
	}
	for o, n := range counts {
		o.Count = n
		f.Operators = append(f.Operators, o)
	}
	sort.Slice(f.Operators, func(i, j int) bool {
		a, b := f.Operators[i], f.Operators[j]
		if a.Count != b.Count {
			return a.Count > b.Count
		}
		return fmt.Sprint(a) < fmt.Sprint(b)
	})
	f.Quantization = g.quantization()
	f.Advice = g.advice(f)
	return f
}

// shown limits the length of names from a file.
func shown(name string) string { return clip.Text(name, 100, "...") }

func (g *Subgraph) public(indexes []int) []edgelens.Tensor {
	var list []edgelens.Tensor
	for _, i := range indexes {
		t := g.Tensors[i]
		p := edgelens.Tensor{Name: shown(t.Name), Shape: t.Shape, DType: typeName(t.Type)}
		if t.Quantization != nil && len(t.Quantization.Scale) == 1 {
			p.Scale, p.ZeroPoint = float64(t.Quantization.Scale[0]), int(t.Quantization.ZeroPoint[0])
		}
		list = append(list, p)
	}
	return list
}

func typeName(t TensorType) string { return strings.ToLower(t.String()) }

// isWeight distinguishes weights from shapes, axes and paddings.
func (t *Tensor) isWeight() bool {
	switch t.Type {
	case Float32, schema.TensorTypeFLOAT16, Uint8, Int8, Int16:
		return true
	case Int32:
		return t.Quantization != nil && len(t.Quantization.Scale) != 0 // a bias
	}
	return false
}

// multiplyAdds returns how many an operator takes, 0 where it has no weights.
func (g *Subgraph) multiplyAdds(o *Operator) int64 {
	switch o.Code {
	case Conv2D, DepthwiseConv2D, FullyConnected:
		out, filter := g.Tensors[o.Outputs[0]], g.Tensors[o.Inputs[1]]
		if o.Code == DepthwiseConv2D { // of which a channel has height x width
			return int64(out.Elements()) * int64(filter.Shape[1]*filter.Shape[2])
		}
		return int64(out.Elements()) * int64(filter.Elements()/filter.Shape[0])
	}
	return 0
}

func (g *Subgraph) typeOf(o *Operator) string {
	for _, i := range o.Outputs {
		if i != NoTensor {
			return typeName(g.Tensors[i].Type)
		}
	}
	return ""
}

// IsLegacy reports whether a model computes in uint8, as models did before 2019. XNNPACK
// takes up to twice as long for it as for int8.
func (g *Subgraph) IsLegacy() bool {
	return slices.ContainsFunc(g.Operators, func(o *Operator) bool {
		return g.multiplyAdds(o) > 0 && g.Tensors[o.Outputs[0]].Type == Uint8
	})
}

// delegatedTypes lists the operators that XNNPACK in TensorFlow Lite 2.17 takes, with the
// types in which it does (measured by TestExpectedDelegation). 2.20 takes some more.
var delegatedTypes = func() map[BuiltinOperator][]TensorType {
	m := map[BuiltinOperator][]TensorType{}
	for _, list := range []struct {
		types []TensorType
		codes []BuiltinOperator
	}{
		{[]TensorType{Float32, Int8, Uint8}, []BuiltinOperator{
			Add, Sub, Mul, Conv2D, DepthwiseConv2D, FullyConnected, MaxPool2D, Mean, Pad, ResizeBilinear, Logistic, Reshape, Concatenation,
			Quantize, Dequantize, schema.BuiltinOperatorTANH, schema.BuiltinOperatorLEAKY_RELU, schema.BuiltinOperatorTRANSPOSE, schema.BuiltinOperatorSLICE,
		}},
		{[]TensorType{Float32, Int8}, []BuiltinOperator{schema.BuiltinOperatorELU}},
		{[]TensorType{Float32}, []BuiltinOperator{
			AveragePool2D, Softmax, Relu, Relu6, HardSwish,
			schema.BuiltinOperatorRELU_N1_TO_1, schema.BuiltinOperatorPRELU, schema.BuiltinOperatorABS, schema.BuiltinOperatorNEG, schema.BuiltinOperatorDIV,
			schema.BuiltinOperatorMAXIMUM, schema.BuiltinOperatorMINIMUM, schema.BuiltinOperatorSQRT, schema.BuiltinOperatorRSQRT,
			schema.BuiltinOperatorSQUARE, schema.BuiltinOperatorFLOOR, schema.BuiltinOperatorCEIL, schema.BuiltinOperatorROUND,
			schema.BuiltinOperatorSUM, schema.BuiltinOperatorTRANSPOSE_CONV,
		}},
	} {
		for _, code := range list.codes {
			m[code] = list.types
		}
	}
	return m
}()

func (g *Subgraph) delegated(o *Operator) bool {
	types := delegatedTypes[o.Code]
	if len(types) == 0 || len(o.Inputs) == 0 || len(o.Outputs) == 0 || o.Inputs[0] == NoTensor {
		return false
	}
	in, out := g.Tensors[o.Inputs[0]].Type, g.Tensors[o.Outputs[0]].Type
	switch o.Code {
	case Quantize:
		return in == out || in == Float32 && (out == Int8 || out == Uint8)
	case Dequantize:
		return in == Int8 || in == Uint8
	case Conv2D, DepthwiseConv2D, FullyConnected:
		for _, i := range o.Inputs[1:] {
			if i != NoTensor && g.Tensors[i].Data == nil {
				return false
			}
		}
		if g.Tensors[o.Inputs[1]].Type != in {
			return false // hybrid
		}
	}
	return in == out && slices.Contains(types, in)
}

// quantization names what the weights of convolutions are.
func (g *Subgraph) quantization() string {
	kinds := map[string]bool{}
	for _, o := range g.Operators {
		if g.multiplyAdds(o) == 0 {
			continue
		}
		w := g.Tensors[o.Inputs[1]]
		kind := typeName(w.Type)
		switch {
		case w.Type == Uint8:
			kind = "uint8, legacy"
		case w.Quantization != nil && len(w.Quantization.Scale) > 1:
			kind += ", per channel"
		case w.Quantization != nil && len(w.Quantization.Scale) == 1:
			kind += ", per tensor"
		}
		kinds[kind] = true
	}
	switch len(kinds) {
	case 0:
		return "none"
	case 1:
		for kind := range kinds {
			return kind
		}
	}
	return "mixed"
}

// advice describes what would make the model faster, most effective first.
func (g *Subgraph) advice(f *edgelens.ModelFacts) []string {
	var advice []string
	if g.IsLegacy() {
		advice = append(advice, "It computes in uint8, as models did before 2019, which takes up to twice as long as int8: `edgelens model requantize` makes an int8 model of it.")
	}
	if f.Quantization == "float32" {
		advice = append(advice, "The weights are float32: quantized to int8 when it is converted (full integer quantization), the model is a quarter of the size and faster.")
	}
	if f.DelegateShare < 0.99 && f.MultiplyAdds > 0 {
		advice = append(advice, fmt.Sprintf("XNNPACK is expected to take %.0f%% of the work; not: %s.", 100*f.DelegateShare, strings.Join(notDelegated(f), ", ")))
	}
	for _, t := range f.Inputs {
		if len(t.Shape) == 4 && t.Shape[1]*t.Shape[2] > 224*224 {
			advice = append(advice, fmt.Sprintf("The input has %dx%d pixels; the time goes with their number.", t.Shape[2], t.Shape[1]))
		}
	}
	return advice
}

func notDelegated(f *edgelens.ModelFacts) []string {
	var names []string
	for _, o := range f.Operators {
		if !o.Delegated && !slices.Contains(names, o.Name) {
			names = append(names, o.Name)
		}
	}
	return names
}
