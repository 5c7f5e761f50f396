package tflitefile_test

import (
	"reflect"
	"testing"

	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

func metadataOf(data []byte) (*tflitefile.TensorMetadata, error) {
	return (&tflitefile.Model{Metadata: []tflitefile.Metadata{{Name: "min_runtime_version", Data: []byte("1.5.0")}, {Name: "TFLITE_METADATA", Data: data}}}).TensorMetadata()
}

func TestTensorMetadata(t *testing.T) {
	got, err := metadataOf(modeltest.TensorMetadata([]float32{1, 2, 3}, []float32{4}, "labels-de.txt", "classes.txt"))
	want := &tflitefile.TensorMetadata{Mean: []float32{1, 2, 3}, Std: []float32{4}, LabelFiles: []string{"classes.txt", "labels-de.txt"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if none, err := (&tflitefile.Model{}).TensorMetadata(); none != nil || err != nil {
		t.Errorf("without metadata: %+v, %v", none, err)
	}
	// Each byte changed: an error or other values, never a crash.
	whole := modeltest.TensorMetadata([]float32{1, 2, 3}, []float32{4}, "labels.txt")
	for i := range whole {
		for _, x := range []byte{0x01, 0x7f, 0x80, 0xff} {
			data := append([]byte(nil), whole...)
			data[i] ^= x
			_, _ = metadataOf(data)
		}
		_, _ = metadataOf(whole[:i])
	}
}

func FuzzTensorMetadata(f *testing.F) {
	f.Add(modeltest.TensorMetadata([]float32{1, 2, 3}, []float32{4}, "labels.txt", "labels-de.txt"))
	f.Add(modeltest.TensorMetadata([]float32{127.5}, []float32{127.5}))
	f.Add(modeltest.TensorMetadata(nil, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := metadataOf(data)
		if (m == nil) == (err == nil) {
			t.Errorf("%+v, %v", m, err)
		}
		if m != nil && len(m.Mean)+len(m.Std)+len(m.LabelFiles) > len(data) {
			t.Errorf("%d bytes give %d values", len(data), len(m.Mean)+len(m.Std)+len(m.LabelFiles))
		}
	})
}
