//go:build cgo

package kernelcheck

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/litert"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/quality"
	"edgelens/models/rewrite"
	"edgelens/models/tflitefile"
)

// figureModels returns files that the limits were measured on, by name: the built-in one,
// and those of the shared folder with variants of them where there is one. They are a few of
// each kind, and all with EDGELENS_TEST_FIGURES set, for the tables in
// docs/adr/0030-kernel-check.md.
func figureModels(t *testing.T) map[string]string {
	t.Helper()
	builtIn, err := quality.Model()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"quality": builtIn.Path}
	folder := testutil.SharedFolder()
	if folder == "" {
		return files
	}
	shared := func(name string) string { return filepath.Join(folder, "models", name+".tflite") }
	v1, v2 := shared("mobilenet_v1_0.25_128_quant"), shared("mobilenet_v2_1.0_224_quant")
	files["int8 V2"] = shared("tf2_mobilenet_v2_1.0_224_ptq")
	files["float32 V1 0.25"] = changed(t, v1, rewrite.Dequantize)
	if os.Getenv("EDGELENS_TEST_FIGURES") == "" {
		return files
	}
	files["uint8 V1 0.25"], files["uint8 V2"] = v1, v2
	files["embedding"] = shared("mobilenet_v1_1.0_224_quant_embedding_extractor")
	files["float32 V2"] = changed(t, files["int8 V2"], rewrite.Dequantize)
	files["requantized V1 0.25"] = changed(t, v1, rewrite.Requantize)
	files["requantized V2"] = changed(t, v2, rewrite.Requantize)
	return files
}

// changed writes a changed copy of a model file.
func changed(t *testing.T, path string, change func(*tflitefile.Model) (*tflitefile.Model, error)) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := tflitefile.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = change(m); err != nil {
		t.Fatal(err)
	}
	if data, err = m.Write(); err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(t.TempDir(), "*.tflite")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// drawn are the drawings by the size of the input.
var drawn = map[[2]int][]drawing{}

// scoresOf runs a file on the images.
func scoresOf(t *testing.T, backend inference.Backend, path string, options inference.Options) (scores, models.TensorSpec) {
	t.Helper()
	options.Threads = 1
	model, err := backend.Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	interpreter, err := model.NewInterpreter()
	if err != nil {
		t.Fatal(err)
	}
	defer interpreter.Close()
	in, err := models.NewInputSpec(interpreter.Input(), nil)
	if err != nil {
		t.Fatal(err)
	}
	size := [2]int{in.Width, in.Height}
	if drawn[size] == nil {
		drawn[size] = drawings(in)
	}
	got, err := runInterpreter(t.Context(), interpreter, in, drawn[size])
	if err != nil {
		t.Fatal(err)
	}
	return got, interpreter.Output()
}

// show prints a row of the table in docs/adr/0030-kernel-check.md.
func show(t *testing.T, model, kernels string, want, got scores, step float64) edgelens.CheckResult {
	figures, result, reason := compare(want, got, step)
	r := math.NaN()
	if figures.Correlation != nil {
		r = *figures.Correlation
	}
	t.Logf("| %s | %s | %d | %d | %.5f | %s |", model, kernels, figures.ClearImages, figures.OtherFirstClasses, r, fmt.Sprintf("%s %.60s", result, reason))
	return result
}

// lyingLiteRT is set where LiteRT's XNNPACK kernels are expected to compute wrongly:
// scripts/check-kernels-arm64 runs them on an emulated processor on which its SME kernels do,
// with models of int8.
var lyingLiteRT = os.Getenv("EDGELENS_TEST_LYING_LITERT") != ""

// Healthy kernels pass.
func TestHealthyKernelsPass(t *testing.T) {
	lite := liteRT(t)
	for name, path := range figureModels(t) {
		t.Run(name, func(t *testing.T) {
			want, out := scoresOf(t, tflite.New(), path, inference.Options{Delegate: inference.DelegateNone})
			got, _ := scoresOf(t, tflite.New(), path, inference.Options{Delegate: inference.DelegateAuto})
			if result := show(t, name, "TFLite "+tflite.New().Version()+" XNNPACK", want, got, out.Scale); result != edgelens.CheckPassed {
				t.Error(result)
			}
			if lite == nil {
				return
			}
			for delegate, kernels := range map[string]string{inference.DelegateAuto: "LiteRT 2.3.0 XNNPACK", inference.DelegateNone: "LiteRT 2.3.0 none"} {
				got, _ = scoresOf(t, lite, path, inference.Options{Delegate: delegate})
				result := show(t, name, kernels, want, got, out.Scale)
				want := edgelens.CheckPassed
				if lyingLiteRT && delegate == inference.DelegateAuto && (name == "quality" || name == "int8 V2") {
					want = edgelens.CheckFailed
				}
				if result != want {
					t.Errorf("%s: %s, want %s", kernels, result, want)
				}
			}
		})
	}
}

// liteRT returns LiteRT's backend, nil where it is not installed.
func liteRT(t *testing.T) inference.Backend {
	t.Helper()
	b, err := litert.New(litert.Config{})
	if err != nil {
		t.Logf("without LiteRT: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// productLies make kernels lose or change some of their products; see damage.
var productLies = []struct {
	name  string
	every int
	lie   func(*tflitefile.Tensor, int)
	// gross ones must fail.
	gross bool
}{
	{"one of 4 products negated", 4, negate, true},
	{"one of 2 products lost", 2, zero, true},
	{"one of 16 products lost", 16, zero, true},
	{"one of 64 products lost", 64, zero, true},
	{"one of 256 products lost", 256, zero, false},
}

// damage returns what changes every nth weight of all convolutions and fully connected
// layers of a model.
func damage(every int, lie func(*tflitefile.Tensor, int)) func(*tflitefile.Model) (*tflitefile.Model, error) {
	return func(m *tflitefile.Model) (*tflitefile.Model, error) {
		for _, o := range m.Main().Operators {
			if o.Code != tflitefile.Conv2D && o.Code != tflitefile.DepthwiseConv2D && o.Code != tflitefile.FullyConnected {
				continue
			}
			w := m.Main().Tensors[o.Inputs[1]]
			w.Data = slices.Clone(w.Data)
			for i := 1; i < w.Elements(); i += every {
				lie(w, i)
			}
		}
		return m, nil
	}
}

// Kernels that compute wrongly fail: real ones, with an output that is wrong or with
// products that are.
func TestWrongKernelsFail(t *testing.T) {
	for name, path := range figureModels(t) {
		t.Run(name, func(t *testing.T) {
			want, out := scoresOf(t, tflite.New(), path, inference.Options{Delegate: inference.DelegateNone})
			right, _ := scoresOf(t, tflite.New(), path, inference.Options{Delegate: inference.DelegateAuto})
			fails := func(lie string, got scores, gross bool) {
				if result := show(t, name, lie, want, got, out.Scale); gross && result != edgelens.CheckFailed {
					t.Errorf("%s: %s", lie, result)
				}
			}
			fails("classes moved by one", each(right, func(row []float32) { copy(row, append(row[len(row)-1:len(row):len(row)], row...)) }), true)
			fails("all zero", each(right, constant(0)), true)
			fails("always the first image's", each(right, func(row []float32) { copy(row, right[0]) }), true)
			fails("those of the image before", append(scores{right[len(right)-1]}, right[:len(right)-1]...), true)
			for _, l := range productLies {
				got, _ := scoresOf(t, tflite.New(), changed(t, path, damage(l.every, l.lie)), inference.Options{Delegate: inference.DelegateAuto})
				fails(l.name, got, l.gross)
			}
		})
	}
}

func zero(w *tflitefile.Tensor, i int) {
	size := tflitefile.SizeOf(w.Type)
	clear(w.Data[i*size : (i+1)*size])
	if w.Type == tflitefile.Uint8 {
		w.Data[i] = byte(w.Quantization.ZeroPoint[0])
	}
}

func negate(w *tflitefile.Tensor, i int) {
	switch w.Type {
	case tflitefile.Float32:
		w.Data[4*i+3] ^= 0x80
	case tflitefile.Int8:
		w.Data[i] = byte(-int8(w.Data[i]))
	case tflitefile.Uint8:
		w.Data[i] = byte(2*int(w.Quantization.ZeroPoint[0]) - int(w.Data[i]))
	}
}
