//go:build cgo

package rewrite_test

import (
	"errors"
	"image"
	_ "image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "golang.org/x/image/bmp"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
	"edgelens/preprocess"
)

// interpret opens a model in TFLite, with XNNPACK if that supports it.
func interpret(t *testing.T, file []byte) (rewrite.Scores, inference.Interpreter) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.tflite")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
	if err != nil {
		t.Fatal(err)
	}
	i, err := m.NewInterpreter()
	if err != nil {
		t.Fatal(errors.Join(err, m.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(i.Close(), m.Close()); err != nil {
			t.Error(err)
		}
	})
	out, scores := make([]byte, i.Output().Bytes()), make([]float32, i.Output().Elements())
	return func(tensor []byte) ([]float32, error) {
		if err := errors.Join(inference.SetInput(i, tensor), i.Invoke(), i.ReadOutput(out)); err != nil {
			return nil, err
		}
		return scores, i.Output().Dequantize(scores, out)
	}, i
}

func read(t *testing.T, file []byte) *tflitefile.Model {
	t.Helper()
	m, err := tflitefile.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func requantized(t *testing.T, file []byte) []byte {
	t.Helper()
	m, err := rewrite.Requantize(read(t, file))
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Write()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// shared reads a file that is used in tests but is not part of the project.
func shared(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(testutil.Shared(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func readImage(t *testing.T, name string) image.Image {
	t.Helper()
	img, _, err := image.Decode(strings.NewReader(string(shared(t, "images/"+name))))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestRequantizeNetwork(t *testing.T) {
	legacy := modeltest.Network(tflitefile.Uint8)
	original, _ := interpret(t, legacy)
	other, i := interpret(t, requantized(t, legacy))
	if i.Delegation().Delegate != inference.DelegateXNNPACK || i.Input().DType != models.Uint8 || i.Output().DType != models.Uint8 {
		t.Errorf("delegate %s, %s in and %s out", i.Delegation().Delegate, i.Input().DType, i.Output().DType)
	}
	a, err := rewrite.Compare(t.Context(), rewrite.Scenes(4, 4, 50), original, other)
	if err != nil || a.MeanDifference > 0.01 || a.SameOrClose() < 0.98 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestDequantizeNetwork(t *testing.T) {
	for _, typ := range []tflitefile.TensorType{tflitefile.Uint8, tflitefile.Int8} {
		t.Run(typ.String(), func(t *testing.T) {
			file := modeltest.Network(typ)
			m, err := rewrite.Dequantize(read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			real, err := m.Write()
			if err != nil {
				t.Fatal(err)
			}
			quantized, q := interpret(t, file)
			float, f := interpret(t, real)
			if f.Input().DType != models.Float32 || f.Output().DType != models.Float32 {
				t.Fatalf("%s in and %s out", f.Input().DType, f.Output().DType)
			}
			values := make([]float32, q.Input().Elements())
			tensor := make([]byte, f.Input().Bytes())
			a, err := rewrite.Compare(t.Context(), rewrite.Scenes(4, 4, 50), quantized, func(in []byte) ([]float32, error) {
				if err := q.Input().Dequantize(values, in); err != nil {
					return nil, err
				}
				for i, v := range values {
					models.PutFloat32(tensor[4*i:], v)
				}
				return float(tensor)
			})
			if err != nil || a.MeanDifference > 0.02 {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

func TestRejected(t *testing.T) {
	for name, tc := range map[string]struct {
		file []byte
		f    func(*tflitefile.Model) (*tflitefile.Model, error)
		want string
	}{
		"requantize int8":       {modeltest.Network(tflitefile.Int8), rewrite.Requantize, "nothing to requantize"},
		"requantize float32":    {modeltest.Network(tflitefile.Float32), rewrite.Requantize, "nothing to requantize"},
		"requantize no weights": {modeltest.Mean(modeltest.Options{DType: models.Uint8}), rewrite.Requantize, "nothing to requantize"},
		"dequantize float32":    {modeltest.Network(tflitefile.Float32), rewrite.Dequantize, "nothing to dequantize"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tc.f(read(t, tc.file)); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want ErrModel with %q", err, tc.want)
			}
		})
	}
	t.Run("unknown operator", func(t *testing.T) {
		m := read(t, modeltest.Network(tflitefile.Uint8))
		m.Main().Operators[0].Code = tflitefile.Custom
		m.Main().Operators[0].CustomName = "mine"
		if _, err := rewrite.Requantize(m); !errors.Is(err, edgelens.ErrModel) || !strings.Contains(err.Error(), "mine") {
			t.Errorf("got %v", err)
		}
	})
}

// The originals must not change, since others use them.
func TestOriginalIsUnchanged(t *testing.T) {
	file := modeltest.Network(tflitefile.Uint8)
	m := read(t, file)
	for _, f := range []func(*tflitefile.Model) (*tflitefile.Model, error){rewrite.Requantize, rewrite.Dequantize} {
		if _, err := f(m); err != nil {
			t.Fatal(err)
		}
	}
	again, err := m.Write()
	if err != nil || !slices.Equal(again, file) {
		t.Errorf("it differs, %v", err)
	}
}

// TestAgreement is a short form of `make bench-requantize`, whose report is
// docs/experiments/requantize.md.
func TestAgreement(t *testing.T) {
	for name, side := range map[string]int{"mobilenet_v2_1.0_224_quant": 224, "mobilenet_v1_0.25_128_quant": 128} {
		t.Run(name, func(t *testing.T) {
			file := shared(t, "models/"+name+".tflite")
			original, _ := interpret(t, file)
			other, i := interpret(t, requantized(t, file))
			if i.Delegation().Delegate != inference.DelegateXNNPACK {
				t.Errorf("runs %s", i.Delegation())
			}
			var inputs [][]byte
			for k, file := range []string{"bird.bmp", "cat.bmp", "sunflower.bmp"} {
				inputs = append(inputs, rewrite.Variants(readImage(t, file), side, side, 10, rewrite.Mild, uint64(k))...)
			}
			a, err := rewrite.Compare(t.Context(), inputs, original, other)
			if err != nil || a.SameOrClose() < 0.95 || a.MeanDifference > 0.001 {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// TestCoralFloors requires of the requantized models what Coral's own tests require of
// the originals (libcoral, coral/classification/model_test_cases.bzl).
func TestCoralFloors(t *testing.T) {
	for name, want := range map[string]struct {
		class int
		above float64
	}{
		"mobilenet_v2_1.0_224_quant":  {286, 0.7},
		"mobilenet_v1_0.25_128_quant": {283, 0.25},
	} {
		t.Run(name, func(t *testing.T) {
			run, i := interpret(t, requantized(t, shared(t, "models/"+name+".tflite")))
			spec, err := models.NewInputSpec(i.Input(), nil)
			if err != nil {
				t.Fatal(err)
			}
			p, err := preprocess.New(preprocess.DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close() // a test
			tensor := make([]byte, spec.Bytes())
			if _, _, err := p.Tensor(tensor, shared(t, "images/cat.bmp"), spec); err != nil {
				t.Fatal(err)
			}
			scores, err := run(tensor)
			if err != nil {
				t.Fatal(err)
			}
			higher := 0
			for _, s := range scores {
				if s > scores[want.class] {
					higher++
				}
			}
			if higher >= 3 || !(float64(scores[want.class]) > want.above) {
				t.Errorf("class %d has %.3f and %d above it; want it in the first 3 and over %v", want.class, scores[want.class], higher, want.above)
			}
		})
	}
}
