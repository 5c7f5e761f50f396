package quality_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"edgelens/models"
	"edgelens/models/quality"
	"edgelens/models/tflitefile"
)

const most = 700_000 // bytes that the model may have

func TestFileIsTheModelThatIsPromised(t *testing.T) {
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

// A registry that finds the file says of it what the package says.
func TestPlaceMakesAModelThatARegistryFinds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "models")
	placed, err := quality.Place(dir)
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(placed.Path); err != nil || !bytes.Equal(have, quality.Bytes()) {
		t.Fatalf("the file placed is not the model (%v)", err)
	}
	registry, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	found, err := registry.Get(quality.Name)
	if err != nil {
		t.Fatal(err)
	}
	if found.ModelRef != placed.ModelRef || found.Path != placed.Path || found.FileBytes != placed.FileBytes || !slices.Equal(found.Labels, placed.Labels) {
		t.Errorf("the registry finds %+v, placed was %+v", found, placed)
	}
}

func TestPlaceMendsTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, quality.Name+".tflite"), []byte("half a model"), 0o644); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := quality.Place(dir); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("the folder holds %v (%v), want the model alone", entries, err)
	}
	if have, _ := os.ReadFile(filepath.Join(dir, entries[0].Name())); !bytes.Equal(have, quality.Bytes()) {
		t.Error("the file is not the model")
	}
}

func TestPlaceSaysWhatToDoWhereItCannot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := quality.Place(dir)
	if err == nil || !strings.Contains(err.Error(), "writable") {
		t.Errorf("Place in a file: %v", err)
	}
}
