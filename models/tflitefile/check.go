package tflitefile

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"edgelens/models/tflitefile/schema"
)

// Bounds far above any edge model.
const (
	maxSubgraphs     = 100
	maxRank          = 8
	maxComputedBytes = 1 << 30 // of the tensors that a graph computes
)

// check returns an error for a model that would make a runtime compute nonsense or
// crash. The error continues a sentence that begins with the model.
func (m *Model) check() error {
	if len(m.Subgraphs) == 0 || len(m.Subgraphs) > maxSubgraphs {
		return fmt.Errorf("has %d graphs; 1 to %d can be used", len(m.Subgraphs), maxSubgraphs)
	}
	for _, g := range m.Subgraphs {
		for _, o := range g.Operators {
			if err := checkKind(o); err != nil {
				return err
			}
		}
	}
	for _, g := range m.Subgraphs {
		if err := g.check(); err != nil {
			return m.openSize(err)
		}
	}
	if err := m.openSize(nil); err != nil {
		return err
	}
	for _, s := range m.Signatures {
		if s.Subgraph < 0 || s.Subgraph >= len(m.Subgraphs) {
			return fmt.Errorf("has a signature of graph %d, which is not there", s.Subgraph)
		}
		for _, t := range append(append([]TensorName(nil), s.Inputs...), s.Outputs...) {
			if t.Tensor < 0 || t.Tensor >= len(m.Subgraphs[s.Subgraph].Tensors) {
				return fmt.Errorf("has a signature with tensor %d, which is not there", t.Tensor)
			}
		}
	}
	return nil
}

// OpenSize reports whether the graph's first input leaves a dimension other than
// the first, the batch, open: converters write 1 there.
func (g *Subgraph) OpenSize() bool {
	if len(g.Inputs) == 0 || g.Inputs[0] < 0 || g.Inputs[0] >= len(g.Tensors) {
		return false
	}
	t := g.Tensors[g.Inputs[0]]
	for i, d := range t.ShapeSignature {
		if i > 0 && d == -1 && i < len(t.Shape) && t.Shape[i] == 1 {
			return true
		}
	}
	return false
}

// errOpenSize is the advice for a model whose input size is open. The shapes in
// such a file are placeholders that need not fit together.
var errOpenSize = errors.New("leaves the size of its input open (dynamic shape); convert it again with a fixed input size, such as [1 224 224 3]")

// openSize replaces err by errOpenSize if that is the cause.
func (m *Model) openSize(err error) error {
	if m.Main().OpenSize() {
		return errOpenSize
	}
	return err
}

func (g *Subgraph) check() error {
	var computed int64 // an int of 32 bits could overflow
	for i, t := range g.Tensors {
		if err := t.check(); err != nil {
			return fmt.Errorf("has tensor %d, %.100q, %w", i, t.Name, err)
		}
		if t.Data == nil {
			computed += int64(t.Bytes())
		}
		if computed > maxComputedBytes {
			return fmt.Errorf("needs more than %d bytes for what it computes", maxComputedBytes)
		}
	}
	return g.checkFlow()
}

func (t *Tensor) check() error {
	if len(t.Shape) > maxRank {
		return fmt.Errorf("with %d dimensions; at most %d can be used", len(t.Shape), maxRank)
	}
	if t.Type < 0 || t.Type > schema.TensorTypeUINT16 {
		return fmt.Errorf("of type %d, which is unknown", t.Type)
	}
	size := int64(max(1, SizeOf(t.Type)))
	for _, d := range t.Shape {
		if d < 1 || int64(d) > math.MaxInt32/size {
			return fmt.Errorf("with shape %v, which is empty or too large", t.Shape)
		}
		size *= int64(d)
	}
	if n := len(t.ShapeSignature); n != 0 && n != len(t.Shape) {
		return fmt.Errorf("with shape %v and the signature %v, which do not agree", t.Shape, t.ShapeSignature)
	}
	if t.Data != nil && SizeOf(t.Type) != 0 && int64(len(t.Data)) != size {
		return fmt.Errorf("with shape %v of %s and %d bytes of data, which do not agree", t.Shape, t.Type, len(t.Data))
	}
	if t.Data != nil && t.IsVariable {
		return errors.New("that is both constant and variable")
	}
	if t.Quantization == nil {
		return nil
	}
	return t.Quantization.check(t)
}

// Scales outside this range make runtimes divide by almost 0, which ends the
// process in some.
const minScale, maxScale = 1e-20, 1e20

func (q *Quantization) check(t *Tensor) error {
	if len(q.Scale) != len(q.ZeroPoint) {
		return fmt.Errorf("with %d scales and %d zero points", len(q.Scale), len(q.ZeroPoint))
	}
	if len(q.Scale) > 1 && (q.Dimension < 0 || q.Dimension >= len(t.Shape) || t.Shape[q.Dimension] != len(q.Scale)) {
		return fmt.Errorf("with %d scales along dimension %d of shape %v", len(q.Scale), q.Dimension, t.Shape)
	}
	if len(q.Scale) == 1 && q.Dimension != 0 && (q.Dimension < 0 || q.Dimension >= len(t.Shape)) {
		return fmt.Errorf("with a scale along dimension %d of shape %v", q.Dimension, t.Shape)
	}
	low, high := typeRange(t.Type)
	for i, scale := range q.Scale {
		if !(scale >= minScale && scale <= maxScale) { // NaN too
			return fmt.Errorf("with scale %v", scale)
		}
		if z := q.ZeroPoint[i]; z < low || z > high {
			return fmt.Errorf("of %s with zero point %d", t.Type, z)
		}
	}
	return nil
}

// typeRange returns the lowest and highest value of a quantized type.
func typeRange(t TensorType) (low, high int64) {
	switch t {
	case Uint8:
		return 0, math.MaxUint8
	case Int8:
		return math.MinInt8, math.MaxInt8
	case Int16:
		return math.MinInt16, math.MaxInt16
	case Int32:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// checkFlow proves that the inputs of every operator are computed before. A runtime
// would read uninitialized memory otherwise.
func (g *Subgraph) checkFlow() error {
	there := make([]bool, len(g.Tensors))
	for i, t := range g.Tensors {
		there[i] = t.Data != nil || t.IsVariable
	}
	for _, i := range g.Inputs {
		if i < 0 || i >= len(there) {
			return fmt.Errorf("has tensor %d as input, which is not there", i)
		}
		if there[i] {
			return fmt.Errorf("has tensor %d as input, which is a constant or an input already", i)
		}
		there[i] = true
	}
	for n, o := range g.Operators {
		if err := g.checkOperator(o, there); err != nil {
			return fmt.Errorf("has operator %d, %s, %w", n, o.Name(), err)
		}
	}
	if err := g.checkResults(); err != nil {
		return err
	}
	return g.checkParameters()
}

// checkResults proves that operators compute every output, and that every result is
// used: the runtime may allocate no memory for unused ones.
func (g *Subgraph) checkResults() error {
	computed, used := make([]bool, len(g.Tensors)), make([]bool, len(g.Tensors))
	for _, o := range g.Operators {
		for _, i := range o.Outputs {
			computed[i] = true
		}
		for _, i := range o.Inputs {
			if i != NoTensor {
				used[i] = true
			}
		}
	}
	for _, i := range g.Outputs {
		if i < 0 || i >= len(computed) || !computed[i] {
			return fmt.Errorf("has tensor %d as output, which no operator computes", i)
		}
		used[i] = true
	}
	for n, o := range g.Operators {
		if len(o.Outputs) != 0 && !slices.ContainsFunc(o.Outputs, func(i int) bool { return used[i] }) {
			return fmt.Errorf("has operator %d, %s, whose result nothing uses", n, o.Name())
		}
	}
	return nil
}

func (g *Subgraph) checkOperator(o *Operator, there []bool) error {
	for _, i := range o.Inputs {
		if i == NoTensor {
			continue
		}
		if i < 0 || i >= len(there) {
			return fmt.Errorf("with tensor %d as input, which is not there", i)
		}
		if !there[i] {
			return fmt.Errorf("with tensor %d as input, which nothing computes before", i)
		}
	}
	for _, i := range o.intermediates {
		if i < NoTensor || i >= len(there) {
			return fmt.Errorf("with tensor %d, which is not there", i)
		}
	}
	for _, i := range o.Outputs {
		if i < 0 || i >= len(there) {
			return fmt.Errorf("with tensor %d as output, which is not there", i)
		}
		if there[i] {
			return fmt.Errorf("with tensor %d as output, which is there already", i)
		}
		there[i] = true
	}
	if o.Version < 0 || o.Version > math.MaxInt32 {
		return fmt.Errorf("of version %d", o.Version)
	}
	return g.checkRule(o)
}
