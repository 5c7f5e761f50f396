package tflitefile

import (
	"errors"
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// metadataName is the name of the TFLite Metadata blob in a model.
const metadataName = "TFLITE_METADATA"

// TensorMetadata is the TFLite Metadata of the first input and the first
// output of the graph that runs
// (https://github.com/tensorflow/tflite-support/blob/v0.4.4/tensorflow_lite_support/metadata/metadata_schema.fbs).
// The format does not describe how an image is resized.
type TensorMetadata struct {
	// Mean and Std normalize the input, a value for all channels or one for each:
	// (pixel - mean) / std. Both are nil if they are not given.
	Mean, Std []float32
	// LabelFiles are the packed files with the names of the output's classes, in
	// their order; those of other languages come after.
	LabelFiles []string
}

// The tables of metadata_schema.fbs, as far as they are read. The type of a process
// unit identifies it; only the table of units other than normalization is checked.
var (
	unknownLayout          = layout{}
	normalizationLayout    = layout{vector4, vector4}
	processUnitLayout      = layout{byte1, {table: &unknownLayout}}
	associatedFileLayout   = layout{bytes1, bytes1, byte1, bytes1}
	tensorMetadataLayout   = layout{bytes1, bytes1, none, none, {tables: &processUnitLayout}, none, {tables: &associatedFileLayout}}
	subgraphMetadataLayout = layout{bytes1, bytes1, {tables: &tensorMetadataLayout}, {tables: &tensorMetadataLayout}}
	modelMetadataLayout    = layout{bytes1, bytes1, bytes1, {tables: &subgraphMetadataLayout}}
)

const (
	normalizationOptions = 1 // of the union ProcessUnitOptions
	axisLabels           = 2 // TENSOR_AXIS_LABELS of the enum AssociatedFileType
)

// slot is the place of a field in a vtable.
func slot(n flatbuffers.VOffsetT) flatbuffers.VOffsetT { return 4 + 2*n }

// TensorMetadata returns nil where the model has no TFLite Metadata. The error
// continues a sentence about the metadata.
func (m *Model) TensorMetadata() (*TensorMetadata, error) {
	for _, d := range m.Metadata {
		if d.Name == metadataName {
			return readTensorMetadata(d.Data)
		}
	}
	return nil, nil
}

func readTensorMetadata(data []byte) (*TensorMetadata, error) {
	if len(data) < 8 || string(data[4:8]) != "M001" {
		return nil, errors.New("is not in the format M001")
	}
	b := flatBuffer{data: data, left: 4*int64(len(data)) + 1<<16}
	b.table(b.uint32(0), modelMetadataLayout)
	if b.err != nil {
		return nil, fmt.Errorf("is damaged: it %w", b.err)
	}
	model := flatbuffers.Table{Bytes: data, Pos: flatbuffers.GetUOffsetT(data)}
	found := &TensorMetadata{}
	graph, ok := firstTable(&model, 3)
	if !ok {
		return found, nil
	}
	if input, ok := firstTable(&graph, 2); ok {
		if err := found.readInput(&b, &input); err != nil {
			return nil, err
		}
	}
	if output, ok := firstTable(&graph, 3); ok {
		found.readOutput(&output)
	}
	return found, nil
}

func (f *TensorMetadata) readInput(b *flatBuffer, input *flatbuffers.Table) error {
	for _, unit := range tablesOf(input, 4) {
		if unit.GetByteSlot(slot(0), 0) != normalizationOptions {
			continue
		}
		at := unit.Offset(slot(1))
		if at == 0 {
			continue
		}
		options := flatbuffers.Table{Bytes: unit.Bytes, Pos: unit.Indirect(unit.Pos + flatbuffers.UOffsetT(at))}
		if b.table(int64(options.Pos), normalizationLayout); b.err != nil {
			return fmt.Errorf("is damaged: it %w", b.err)
		}
		if f.Mean != nil || f.Std != nil {
			return errors.New("normalizes the image twice")
		}
		f.Mean, f.Std = floatsOf(&options, 0), floatsOf(&options, 1)
	}
	return nil
}

func (f *TensorMetadata) readOutput(output *flatbuffers.Table) {
	var translated []string
	for _, file := range tablesOf(output, 6) {
		name := textOf(&file, 0)
		if name == "" || file.GetByteSlot(slot(2), 0) != axisLabels {
			continue
		}
		if textOf(&file, 3) != "" {
			translated = append(translated, name)
			continue
		}
		f.LabelFiles = append(f.LabelFiles, name)
	}
	f.LabelFiles = append(f.LabelFiles, translated...)
}

func firstTable(t *flatbuffers.Table, field flatbuffers.VOffsetT) (flatbuffers.Table, bool) {
	all := tablesOf(t, field)
	if len(all) == 0 {
		return flatbuffers.Table{}, false
	}
	return all[0], true
}

// tablesOf returns the tables of a vector, which was checked.
func tablesOf(t *flatbuffers.Table, field flatbuffers.VOffsetT) []flatbuffers.Table {
	at := flatbuffers.UOffsetT(t.Offset(slot(field)))
	if at == 0 {
		return nil
	}
	var all []flatbuffers.Table
	start := t.Vector(at)
	for i := range t.VectorLen(at) {
		all = append(all, flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(start + flatbuffers.UOffsetT(4*i))})
	}
	return all
}

func floatsOf(t *flatbuffers.Table, field flatbuffers.VOffsetT) []float32 {
	at := flatbuffers.UOffsetT(t.Offset(slot(field)))
	if at == 0 {
		return nil
	}
	start := t.Vector(at)
	return list(t.VectorLen(at), func(i int) float32 { return t.GetFloat32(start + flatbuffers.UOffsetT(4*i)) })
}

func textOf(t *flatbuffers.Table, field flatbuffers.VOffsetT) string {
	at := flatbuffers.UOffsetT(t.Offset(slot(field)))
	if at == 0 {
		return ""
	}
	return text(t.ByteVector(t.Pos + at))
}
