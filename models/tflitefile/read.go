package tflitefile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	flatbuffers "github.com/google/flatbuffers/go"

	"edgelens"
	"edgelens/models/tflitefile/schema"
)

// Read returns the model in a file. The tensors share data's memory, which
// must not change. The error wraps edgelens.ErrModel and describes in a sentence
// what is wrong with the file.
func Read(data []byte) (*Model, error) {
	m, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: its file %w", edgelens.ErrModel, err)
	}
	return m, nil
}

// Parse is Read with an error that continues a sentence about
// the file ("looks truncated: ...").
func Parse(data []byte) (*Model, error) {
	if err := checkIdentifier(data); err != nil {
		return nil, err
	}
	err := checkStructure(data)
	if errors.Is(err, errOutside) {
		return nil, fmt.Errorf("looks truncated: it points past its end at %d bytes; copy or download it again", len(data))
	}
	if err != nil {
		return nil, err
	}
	m, err := decode(schema.GetRootAsModel(data, 0))
	if err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	m.Files = packedFiles(data)
	return m, nil
}

// checkIdentifier distinguishes a model from common mistakes: web pages,
// placeholders and interrupted downloads.
func checkIdentifier(data []byte) error {
	start := bytes.TrimSpace(data[:min(len(data), 64)])
	switch {
	case len(data) > MaxBytes:
		return fmt.Errorf("has %d bytes; TFLite models end at %d", len(data), MaxBytes)
	case len(data) >= 8 && string(data[4:8]) == "TFL3":
		return nil
	case bytes.HasPrefix(start, []byte("<")):
		return errors.New("is a web page, not a TFLite model: download the file itself")
	case bytes.HasPrefix(start, []byte("version https://git-lfs")):
		return errors.New("is a Git LFS placeholder, not a TFLite model: fetch it with git lfs pull")
	case len(data) < 8:
		return fmt.Errorf("has only %d bytes, too short for a TFLite model", len(data))
	}
	return errors.New("is not a TFLite model: the identifier TFL3 is not there")
}

// decoder turns the tables of one file into a Model.
type decoder struct {
	table   *schema.Model
	buffers [][]byte
	err     error
}

func decode(table *schema.Model) (*Model, error) {
	if v := table.Version(); v != 3 {
		return nil, fmt.Errorf("has version %d of the format; 3 can be read", v)
	}
	d := decoder{table: table}
	for i := range table.BuffersLength() {
		var b schema.Buffer
		table.Buffers(&b, i)
		d.buffers = append(d.buffers, b.DataBytes())
	}
	m := &Model{Description: text(table.Description())}
	for i := range table.SubgraphsLength() {
		var g schema.SubGraph
		table.Subgraphs(&g, i)
		m.Subgraphs = append(m.Subgraphs, d.subgraph(&g))
	}
	for i := range table.MetadataLength() {
		var b schema.Metadata
		table.Metadata(&b, i)
		m.Metadata = append(m.Metadata, Metadata{Name: text(b.Name()), Data: d.buffer(b.Buffer())})
	}
	for i := range table.SignatureDefsLength() {
		var s schema.SignatureDef
		table.SignatureDefs(&s, i)
		m.Signatures = append(m.Signatures, signature(&s))
	}
	return m, d.err
}

// buffer returns the data of a buffer, nil if it has none. Old models have
// no buffer 0, which means no data.
func (d *decoder) buffer(i uint32) []byte {
	switch {
	case int64(i) < int64(len(d.buffers)):
		if len(d.buffers[i]) == 0 {
			return nil
		}
		return d.buffers[i]
	case i != 0:
		d.fail(fmt.Errorf("names buffer %d of %d", i, len(d.buffers)))
	}
	return nil
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) subgraph(table *schema.SubGraph) *Subgraph {
	g := &Subgraph{Name: text(table.Name()), Inputs: ints(table.InputsLength(), table.Inputs), Outputs: ints(table.OutputsLength(), table.Outputs)}
	for i := range table.TensorsLength() {
		var t schema.Tensor
		table.Tensors(&t, i)
		g.Tensors = append(g.Tensors, d.tensor(&t))
	}
	for i := range table.OperatorsLength() {
		var o schema.Operator
		table.Operators(&o, i)
		g.Operators = append(g.Operators, d.operator(&o))
	}
	return g
}

func (d *decoder) tensor(table *schema.Tensor) *Tensor {
	if fields := table.Table(); fields.Offset(sparsityEntry) != 0 {
		d.fail(fmt.Errorf("has a sparse tensor, %.100q, which cannot be used", table.Name()))
	}
	t := &Tensor{
		Name: text(table.Name()), Type: table.Type(), Data: d.buffer(table.Buffer()), IsVariable: table.IsVariable(),
		Shape: ints(table.ShapeLength(), table.Shape), ShapeSignature: ints(table.ShapeSignatureLength(), table.ShapeSignature),
	}
	if q := table.Quantization(nil); q != nil {
		if q.DetailsType() != 0 {
			d.fail(fmt.Errorf("has a tensor, %.100q, with a quantization of its own kind, which cannot be used", table.Name()))
		}
		t.Quantization = &Quantization{
			Scale: list(q.ScaleLength(), q.Scale), ZeroPoint: list(q.ZeroPointLength(), q.ZeroPoint), Dimension: int(q.QuantizedDimension()),
			Min: list(q.MinLength(), q.Min), Max: list(q.MaxLength(), q.Max),
		}
	}
	return t
}

// sparsityEntry is where a vtable has the field that makes a tensor sparse.
const sparsityEntry = 4 + 2*6

func (d *decoder) operator(table *schema.Operator) *Operator {
	o := &Operator{
		Inputs: ints(table.InputsLength(), table.Inputs), Outputs: ints(table.OutputsLength(), table.Outputs),
		CustomOptions: table.CustomOptionsBytes(),
		mutating:      list(table.MutatingVariableInputsLength(), table.MutatingVariableInputs), intermediates: ints(table.IntermediatesLength(), table.Intermediates),
	}
	var code schema.OperatorCode
	if index := table.OpcodeIndex(); int64(index) < int64(d.table.OperatorCodesLength()) {
		d.table.OperatorCodes(&code, int(index))
		// Before TensorFlow 2.4 there was only the first, a byte.
		o.Code = max(BuiltinOperator(code.DeprecatedBuiltinCode()), code.BuiltinCode())
		o.CustomName, o.Version = text(code.CustomCode()), int(code.Version())
	} else {
		d.fail(fmt.Errorf("names operator code %d of %d", index, d.table.OperatorCodesLength()))
	}
	var options flatbuffers.Table
	if kind := table.BuiltinOptionsType(); kind != schema.BuiltinOptionsNONE && table.BuiltinOptions(&options) {
		if known := kind.UnPack(options); known != nil {
			o.Options = known.Value
		} else {
			o.Options = UnknownOptions{Kind: byte(kind)}
		}
	}
	return o
}

func signature(table *schema.SignatureDef) Signature {
	s := Signature{Key: text(table.SignatureKey()), Subgraph: int(table.SubgraphIndex())}
	var t schema.TensorMap
	for i := range table.InputsLength() {
		table.Inputs(&t, i)
		s.Inputs = append(s.Inputs, TensorName{Name: text(t.Name()), Tensor: int(t.TensorIndex())})
	}
	for i := range table.OutputsLength() {
		table.Outputs(&t, i)
		s.Outputs = append(s.Outputs, TensorName{Name: text(t.Name()), Tensor: int(t.TensorIndex())})
	}
	return s
}

// text copies a string out of the file and makes it printable.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

func list[T any](n int, at func(int) T) []T {
	if n == 0 {
		return nil
	}
	values := make([]T, n)
	for i := range values {
		values[i] = at(i)
	}
	return values
}

func ints(n int, at func(int) int32) []int {
	if n == 0 {
		return nil
	}
	values := make([]int, n)
	for i := range values {
		values[i] = int(at(i))
	}
	return values
}
