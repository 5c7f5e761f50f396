package modeltest_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"edgelens/models"
	"edgelens/models/modeltest"
)

func TestRegistryAcceptsModels(t *testing.T) {
	dir := t.TempDir()
	type expected struct {
		labels  []string
		refused string // "" where the model can be used
	}
	want := map[string]expected{}
	put := func(name string, file []byte, labels []string, refused string) {
		if err := os.WriteFile(filepath.Join(dir, name+".tflite"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		want[name] = expected{labels, refused}
	}
	put("plain", modeltest.Mean(modeltest.Options{}), nil, "feature vector")
	put("labeled", modeltest.Mean(modeltest.Options{DType: models.Int8, Softmax: true, Labels: modeltest.Labels()}), modeltest.Labels(), "")
	put("two outputs", modeltest.TwoOutputs(modeltest.Options{Labels: modeltest.Labels()}), nil, "2 outputs")
	put("not an image", modeltest.NotAnImage(), nil, "shape [1 3]")
	put("failing", modeltest.FailingInvoke(modeltest.Options{DType: models.Uint8, Labels: modeltest.Labels()}), modeltest.Labels(), "")
	r, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		m, err := r.Get(name)
		if w.refused == "" && (err != nil || !reflect.DeepEqual(m.Labels, w.labels)) || w.refused != "" && (err == nil || !strings.Contains(err.Error(), w.refused)) {
			t.Errorf("%s: labels %q, %v", name, m.Labels, err)
		}
	}
}

func TestModelsAreReproducible(t *testing.T) {
	o := modeltest.Options{DType: models.Uint8, Softmax: true, Int8Inside: true, Labels: modeltest.Labels()}
	if !bytes.Equal(modeltest.Mean(o), modeltest.Mean(o)) {
		t.Error("two models of the same options differ, so their digests do")
	}
}

func TestImage(t *testing.T) {
	img, err := png.Decode(bytes.NewReader(modeltest.Image(modeltest.Blue, 5, 4)))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Size(); got.X != 5 || got.Y != 4 {
		t.Errorf("size %v", got)
	}
	if r, g, b, a := img.At(4, 3).RGBA(); r != 0 || g != 0 || b != 0xffff || a != 0xffff {
		t.Errorf("color %x %x %x %x", r, g, b, a)
	}
}
