package quality_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"edgelens/models"
	"edgelens/models/quality"
	"edgelens/models/tflitefile"
)

const most = 700_000 // bytes that the model may have

func TestFileIsFrozen(t *testing.T) {
	file := quality.Bytes()
	if len(file) > most {
		t.Errorf("the model has %d bytes; at most %d are promised", len(file), most)
	}
	m, err := tflitefile.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	g := m.Main()
	in, out := g.Tensors[g.Inputs[0]], g.Tensors[g.Outputs[0]]
	if in.Type != tflitefile.Uint8 || !slices.Equal(in.Shape, []int{1, 96, 96, 3}) {
		t.Errorf("the input is %v %v", in.Type, in.Shape)
	}
	if out.Type != tflitefile.Uint8 || !slices.Equal(out.Shape, []int{1, len(quality.Labels())}) {
		t.Errorf("the output is %v %v", out.Type, out.Shape)
	}
	labels, err := models.MetadataLabels(file)
	if err != nil || !slices.Equal(labels, quality.Labels()) {
		t.Errorf("the labels in the file are %v (%v), want %v", labels, err, quality.Labels())
	}
}

// Any process that reads the path of the model reads the model, any number
// of times.
func TestPathReadsModel(t *testing.T) {
	m, err := quality.Model()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		have, err := os.ReadFile(m.Path)
		if err != nil || !bytes.Equal(have, quality.Bytes()) || m.FileBytes != int64(len(have)) {
			t.Fatalf("%s holds %d bytes (%v), want the %d of the model", m.Path, len(have), err, len(quality.Bytes()))
		}
	}
	if again, err := quality.Model(); err != nil || again.Path != m.Path {
		t.Errorf("asked again, it is at %s (%v), before it was at %s: one open file is enough", again.Path, err, m.Path)
	}
}

// A registry with the model describes it as the package does.
func TestRegistryListsBuiltInModel(t *testing.T) {
	m, err := quality.Model()
	if err != nil {
		t.Fatal(err)
	}
	registry, err := models.Open(filepath.Join(t.TempDir(), "no such folder"), m)
	if err != nil {
		t.Fatal(err)
	}
	found, err := registry.Get(quality.Name)
	if err != nil {
		t.Fatal(err)
	}
	if found.ModelRef != m.ModelRef || !found.BuiltIn || found.Facts == nil || !slices.Equal(found.Labels, quality.Labels()) {
		t.Errorf("the registry finds %+v, given was %+v", found, m)
	}
}
