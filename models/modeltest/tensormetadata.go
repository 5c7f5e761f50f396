package modeltest

import flatbuffers "github.com/google/flatbuffers/go"

// TensorMetadata returns a TFLITE_METADATA blob
// (https://github.com/tensorflow/tflite-support/blob/v0.4.4/tensorflow_lite_support/metadata/metadata_schema.fbs)
// that normalizes the input by mean and std, unless both are nil, and names the
// files with the labels of the output; those with "-" in their name are of another
// language.
func TensorMetadata(mean, std []float32, labelFiles ...string) []byte {
	b := flatbuffers.NewBuilder(256)
	var unit flatbuffers.UOffsetT
	if mean != nil || std != nil {
		means, stds := float32s(b, mean), float32s(b, std)
		b.StartObject(2)
		b.PrependUOffsetTSlot(0, means, 0)
		b.PrependUOffsetTSlot(1, stds, 0)
		options := b.EndObject()
		b.StartObject(2)
		b.PrependByteSlot(0, 1, 0) // NormalizationOptions
		b.PrependUOffsetTSlot(1, options, 0)
		unit = b.EndObject()
	}
	var files []flatbuffers.UOffsetT
	for _, name := range labelFiles {
		text, locale := b.CreateString(name), flatbuffers.UOffsetT(0)
		for _, r := range name {
			if r == '-' {
				locale = b.CreateString("xx")
			}
		}
		b.StartObject(5)
		b.PrependUOffsetTSlot(0, text, 0)
		b.PrependByteSlot(2, 2, 0) // TENSOR_AXIS_LABELS
		if locale != 0 {
			b.PrependUOffsetTSlot(3, locale, 0)
		}
		files = append(files, b.EndObject())
	}
	input := tensorOf(b, "image", 4, unit)
	output := tensorOf(b, "scores", 6, files...)
	inputs, outputs := offsets(b, []flatbuffers.UOffsetT{input}), offsets(b, []flatbuffers.UOffsetT{output})
	b.StartObject(9)
	b.PrependUOffsetTSlot(2, inputs, 0)
	b.PrependUOffsetTSlot(3, outputs, 0)
	graph := b.EndObject()
	graphs, name := offsets(b, []flatbuffers.UOffsetT{graph}), b.CreateString("test")
	b.StartObject(8)
	b.PrependUOffsetTSlot(0, name, 0)
	b.PrependUOffsetTSlot(3, graphs, 0)
	b.FinishWithFileIdentifier(b.EndObject(), []byte("M001"))
	return b.FinishedBytes()
}

// tensorOf writes the metadata of a tensor with a vector of tables in one field.
func tensorOf(b *flatbuffers.Builder, name string, field int, tables ...flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	text := b.CreateString(name)
	var vector flatbuffers.UOffsetT
	if len(tables) > 0 && tables[0] != 0 {
		vector = offsets(b, tables)
	}
	b.StartObject(7)
	b.PrependUOffsetTSlot(0, text, 0)
	if vector != 0 {
		b.PrependUOffsetTSlot(field, vector, 0)
	}
	return b.EndObject()
}

func float32s(b *flatbuffers.Builder, values []float32) flatbuffers.UOffsetT {
	b.StartVector(4, len(values), 4)
	for i := len(values) - 1; i >= 0; i-- {
		b.PrependFloat32(values[i])
	}
	return b.EndVector(len(values))
}
