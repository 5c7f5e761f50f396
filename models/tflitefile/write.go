package tflitefile

import (
	"fmt"
	"reflect"

	flatbuffers "github.com/google/flatbuffers/go"

	"edgelens"
	"edgelens/models/tflitefile/schema"
)

// Write returns the file of a model. It is checked as in Read; equal models
// give equal bytes. The error wraps edgelens.ErrModel: the model is invalid
// or has options that this package does not support.
func (m *Model) Write() ([]byte, error) {
	file, err := m.write()
	if err != nil {
		return nil, fmt.Errorf("%w: write it: it %w", edgelens.ErrModel, err)
	}
	return file, nil
}

func (m *Model) write() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	e := encoder{b: flatbuffers.NewBuilder(1 << 10), shared: map[*byte]uint32{}, codes: map[operatorCode]uint32{}}
	e.buffers = append(e.buffers, e.buffer(nil)) // means no data
	subgraphs := each(m.Subgraphs, e.subgraph)
	metadata := each(m.Metadata, e.metadata)
	signatures := each(m.Signatures, e.signature)
	if e.err != nil {
		return nil, e.err
	}

	b := e.b
	codes, graphs, buffers := e.tables(e.codeTables), e.tables(subgraphs), e.tables(e.buffers)
	var description, metadataVector, signatureVector flatbuffers.UOffsetT
	if m.Description != "" {
		description = b.CreateString(m.Description)
	}
	if len(metadata) != 0 {
		metadataVector = e.tables(metadata)
	}
	if len(signatures) != 0 {
		signatureVector = e.tables(signatures)
	}
	schema.ModelStart(b)
	schema.ModelAddVersion(b, 3)
	schema.ModelAddOperatorCodes(b, codes)
	schema.ModelAddSubgraphs(b, graphs)
	schema.ModelAddDescription(b, description)
	schema.ModelAddBuffers(b, buffers)
	schema.ModelAddMetadata(b, metadataVector)
	schema.ModelAddSignatureDefs(b, signatureVector)
	b.FinishWithFileIdentifier(schema.ModelEnd(b), []byte("TFL3"))
	return appendFiles(b.FinishedBytes(), m.Files)
}

// encoder builds one file. FlatBuffers are built from the end, children first.
type encoder struct {
	b       *flatbuffers.Builder
	buffers []flatbuffers.UOffsetT
	shared  map[*byte]uint32 // buffers by their first byte
	// codes are the operators in use, in the order of their first use.
	codes      map[operatorCode]uint32
	codeTables []flatbuffers.UOffsetT
	err        error
}

type operatorCode struct {
	code    BuiltinOperator
	custom  string
	version int
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// bufferOf returns the index of the buffer with the data, 0 for none.
func (e *encoder) bufferOf(data []byte) uint32 {
	if len(data) == 0 {
		return 0
	}
	if i, ok := e.shared[&data[0]]; ok {
		return i
	}
	i := uint32(len(e.buffers))
	e.buffers = append(e.buffers, e.buffer(data))
	e.shared[&data[0]] = i
	return i
}

func (e *encoder) buffer(data []byte) flatbuffers.UOffsetT {
	var vector flatbuffers.UOffsetT
	if len(data) != 0 {
		e.b.Prep(16, len(data)) // the format aligns weights to 16 bytes
		vector = e.b.CreateByteVector(data)
	}
	schema.BufferStart(e.b)
	schema.BufferAddData(e.b, vector)
	return schema.BufferEnd(e.b)
}

func (e *encoder) subgraph(g *Subgraph) flatbuffers.UOffsetT {
	tensors, operators := e.tables(each(g.Tensors, e.tensor)), e.tables(each(g.Operators, e.operator))
	inputs, outputs := e.int32s(g.Inputs), e.int32s(g.Outputs)
	name := e.b.CreateString(g.Name)
	schema.SubGraphStart(e.b)
	schema.SubGraphAddTensors(e.b, tensors)
	schema.SubGraphAddInputs(e.b, inputs)
	schema.SubGraphAddOutputs(e.b, outputs)
	schema.SubGraphAddOperators(e.b, operators)
	schema.SubGraphAddName(e.b, name)
	return schema.SubGraphEnd(e.b)
}

func (e *encoder) tensor(t *Tensor) flatbuffers.UOffsetT {
	table := schema.TensorT{
		Shape: int32s(t.Shape), Type: t.Type, Buffer: e.bufferOf(t.Data), Name: t.Name, IsVariable: t.IsVariable,
	}
	if table.Shape == nil {
		table.Shape = []int32{} // a scalar, not a tensor of unknown shape
	}
	if len(t.ShapeSignature) != 0 {
		table.ShapeSignature = int32s(t.ShapeSignature)
	}
	if q := t.Quantization; q != nil {
		table.Quantization = &schema.QuantizationParametersT{
			Scale: q.Scale, ZeroPoint: q.ZeroPoint, QuantizedDimension: int32(q.Dimension), Min: q.Min, Max: q.Max,
		}
	}
	return table.Pack(e.b)
}

func (e *encoder) operator(o *Operator) flatbuffers.UOffsetT {
	var options flatbuffers.UOffsetT
	kind := schema.BuiltinOptionsNONE
	if o.Options != nil {
		var known bool
		if kind, known = optionsKinds[reflect.TypeOf(o.Options)]; !known || reflect.ValueOf(o.Options).IsNil() {
			e.fail(fmt.Errorf("has an operator, %s, with options that edgelens does not know (%T)", o.Name(), o.Options))
			return 0
		}
		options = (&schema.BuiltinOptionsT{Type: kind, Value: o.Options}).Pack(e.b)
	}
	code := e.code(o)
	inputs, outputs := e.int32s(o.Inputs), e.int32s(o.Outputs)
	var custom, mutating, intermediates flatbuffers.UOffsetT
	if len(o.CustomOptions) != 0 {
		custom = e.b.CreateByteVector(o.CustomOptions)
	}
	if len(o.mutating) != 0 {
		schema.OperatorStartMutatingVariableInputsVector(e.b, len(o.mutating))
		for i := len(o.mutating) - 1; i >= 0; i-- {
			e.b.PrependBool(o.mutating[i])
		}
		mutating = e.b.EndVector(len(o.mutating))
	}
	if len(o.intermediates) != 0 {
		intermediates = e.int32s(o.intermediates)
	}
	schema.OperatorStart(e.b)
	schema.OperatorAddOpcodeIndex(e.b, code)
	schema.OperatorAddInputs(e.b, inputs)
	schema.OperatorAddOutputs(e.b, outputs)
	schema.OperatorAddBuiltinOptionsType(e.b, kind)
	schema.OperatorAddBuiltinOptions(e.b, options)
	schema.OperatorAddCustomOptions(e.b, custom)
	schema.OperatorAddMutatingVariableInputs(e.b, mutating)
	schema.OperatorAddIntermediates(e.b, intermediates)
	return schema.OperatorEnd(e.b)
}

func (e *encoder) code(o *Operator) uint32 {
	key := operatorCode{code: o.Code, custom: o.CustomName, version: max(1, o.Version)}
	if i, ok := e.codes[key]; ok {
		return i
	}
	i := uint32(len(e.codeTables))
	e.codes[key] = i
	// Old readers look at the byte; codes beyond it have a placeholder there.
	old := min(o.Code, schema.BuiltinOperatorPLACEHOLDER_FOR_GREATER_OP_CODES)
	var custom flatbuffers.UOffsetT
	if o.CustomName != "" {
		custom = e.b.CreateString(o.CustomName)
	}
	schema.OperatorCodeStart(e.b)
	schema.OperatorCodeAddDeprecatedBuiltinCode(e.b, int8(old))
	schema.OperatorCodeAddCustomCode(e.b, custom)
	schema.OperatorCodeAddVersion(e.b, int32(key.version))
	schema.OperatorCodeAddBuiltinCode(e.b, o.Code)
	e.codeTables = append(e.codeTables, schema.OperatorCodeEnd(e.b))
	return i
}

func (e *encoder) metadata(d Metadata) flatbuffers.UOffsetT {
	return (&schema.MetadataT{Name: d.Name, Buffer: e.bufferOf(d.Data)}).Pack(e.b)
}

func (e *encoder) signature(s Signature) flatbuffers.UOffsetT {
	table := schema.SignatureDefT{SignatureKey: s.Key, SubgraphIndex: uint32(s.Subgraph)}
	for _, t := range s.Inputs {
		table.Inputs = append(table.Inputs, &schema.TensorMapT{Name: t.Name, TensorIndex: uint32(t.Tensor)})
	}
	for _, t := range s.Outputs {
		table.Outputs = append(table.Outputs, &schema.TensorMapT{Name: t.Name, TensorIndex: uint32(t.Tensor)})
	}
	return table.Pack(e.b)
}

func (e *encoder) tables(offsets []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	return e.b.CreateVectorOfTables(offsets)
}

func (e *encoder) int32s(values []int) flatbuffers.UOffsetT {
	e.b.StartVector(4, len(values), 4)
	for i := len(values) - 1; i >= 0; i-- {
		e.b.PrependInt32(int32(values[i]))
	}
	return e.b.EndVector(len(values))
}

func int32s(values []int) []int32 { return each(values, func(v int) int32 { return int32(v) }) }

func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = f(a)
	}
	return out
}
