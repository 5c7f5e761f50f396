//go:build cgo && linux

package litert_test

import (
	"encoding/binary"
	"image"
	_ "image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"

	"edgelens/inference"
	"edgelens/inference/litert"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// real returns the output's numbers.
func real(spec models.TensorSpec, output []byte) []float64 {
	var values []float64
	for i := 0; i < len(output); i += spec.DType.Size() {
		switch spec.DType {
		case models.Float32:
			values = append(values, float64(math.Float32frombits(binary.LittleEndian.Uint32(output[i:]))))
		case models.Int8:
			values = append(values, spec.Scale*float64(int(int8(output[i]))-spec.ZeroPoint))
		default:
			values = append(values, spec.Scale*float64(int(output[i])-spec.ZeroPoint))
		}
	}
	return values
}

// fill returns an input of the spec with the value of each element in [0, 1).
func fill(spec models.TensorSpec, value func(i int) float64) []byte {
	input := make([]byte, 0, spec.Bytes())
	for i := range spec.Elements() {
		v := value(i)
		switch spec.DType {
		case models.Float32:
			input = binary.LittleEndian.AppendUint32(input, math.Float32bits(float32(2*v-1)))
		case models.Int8:
			input = append(input, byte(int8(v*256-128)))
		default:
			input = append(input, byte(v*256))
		}
	}
	return input
}

// both returns an interpreter of each runtime.
func both(t testing.TB, b *litert.Backend, path, delegate string) (ours, theirs inference.Interpreter) {
	t.Helper()
	return build(t, b, path, delegate), build(t, tflite.New(), path, delegate)
}

// Both runtimes describe the tensors of generated models alike and answer alike. Kernels
// round in different places: of probabilities in 256 steps, those of a network of ten
// operators were up to 3 steps apart.
func TestAgreesWithTFLite(t *testing.T) {
	b := backend(t)
	for name, file := range map[string][]byte{
		"network float32": modeltest.Network(tflitefile.Float32), "network int8": modeltest.Network(tflitefile.Int8), "network uint8": modeltest.Network(tflitefile.Uint8),
		"mean float32": modeltest.Mean(modeltest.Options{Side: 8, DType: models.Float32, Softmax: true}),
		"mean int8":    modeltest.Mean(modeltest.Options{Side: 8, DType: models.Int8, Softmax: true}),
		"mean uint8":   modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true}),
	} {
		for _, delegate := range []string{inference.DelegateAuto, inference.DelegateNone} {
			t.Run(name+"/"+delegate, func(t *testing.T) {
				ours, theirs := both(t, b, write(t, file), delegate)
				for _, pair := range [][2]models.TensorSpec{{ours.Input(), theirs.Input()}, {ours.Output(), theirs.Output()}} {
					if a, b := pair[0], pair[1]; a.Name != b.Name || a.DType != b.DType || !slices.Equal(a.Shape, b.Shape) || math.Abs(a.Scale-b.Scale) > 1e-9 || a.ZeroPoint != b.ZeroPoint {
						t.Errorf("LiteRT's tensor is %+v, TFLite's %+v", a, b)
					}
				}
				limit := max(4*ours.Output().Scale, 1e-5)
				for seed := range 8 {
					input := fill(ours.Input(), func(i int) float64 { return float64((i*31+seed*97)%256) / 256 })
					got, want := real(ours.Output(), answer(t, ours, input)), real(theirs.Output(), answer(t, theirs, input))
					for n := range want {
						if math.Abs(got[n]-want[n]) > limit {
							t.Errorf("input %d: LiteRT answers %v, TFLite %v", seed, got, want)
							break
						}
					}
				}
			})
		}
	}
}

// photo returns an image as the input of a model, stretched.
func photo(t testing.TB, path string, spec models.TensorSpec) []byte {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() // read only
	img, _, err := image.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	small := image.NewRGBA(image.Rect(0, 0, spec.Shape[2], spec.Shape[1]))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), img, img.Bounds(), draw.Src, nil)
	return fill(spec, func(i int) float64 { return float64(small.Pix[i/3*4+i%3]) / 256 })
}

func first(values []float64) int { return slices.Index(values, slices.Max(values)) }

// Both runtimes give the same first class on photographs.
func TestSameClassesAsTFLite(t *testing.T) {
	b := backend(t)
	images, err := filepath.Glob(filepath.Join(testutil.Shared(t, "images"), "*.*"))
	if err != nil || len(images) == 0 {
		t.Fatal("no images: ", err)
	}
	for _, file := range []string{"tf2_mobilenet_v2_1.0_224_ptq.tflite", "mobilenet_v2_1.0_224_quant.tflite", "mobilenet_v1_0.25_128_quant.tflite"} {
		t.Run(file, func(t *testing.T) {
			ours, theirs := both(t, b, testutil.Shared(t, "models", file), inference.DelegateAuto)
			t.Logf("delegate %s, TFLite's %s", ours.Delegation().Delegate, theirs.Delegation().Delegate)
			for _, path := range images {
				input := photo(t, path, ours.Input())
				got, want := real(ours.Output(), answer(t, ours, input)), real(theirs.Output(), answer(t, theirs, input))
				g, w := first(got), first(want)
				t.Logf("%s: class %d with %.3f, TFLite's %d with %.3f", filepath.Base(path), g, got[g], w, want[w])
				if g != w {
					t.Errorf("%s: LiteRT's first class is %d, TFLite's %d", filepath.Base(path), g, w)
				}
			}
		})
	}
}

// BenchmarkInvoke runs both runtimes in turn, so that what else the machine does
// hits both, and reports the best and the median of each.
func BenchmarkInvoke(b *testing.B) {
	backend := backend(b)
	for _, file := range []string{"tf2_mobilenet_v2_1.0_224_ptq.tflite", "mobilenet_v2_1.0_224_quant.tflite"} {
		b.Run(file, func(b *testing.B) {
			ours, theirs := both(b, backend, testutil.Shared(b, "models", file), inference.DelegateAuto)
			var times [2][]time.Duration
			b.ReportAllocs()
			for b.Loop() {
				for n, i := range []inference.Interpreter{ours, theirs} {
					start := time.Now()
					if err := i.Invoke(); err != nil {
						b.Fatal(err)
					}
					times[n] = append(times[n], time.Since(start))
				}
			}
			for n, name := range []string{"litert", "tflite"} {
				slices.Sort(times[n])
				b.ReportMetric(times[n][0].Seconds()*1e3, name+"-best-ms")
				b.ReportMetric(times[n][len(times[n])/2].Seconds()*1e3, name+"-p50-ms")
			}
		})
	}
}

// BenchmarkMemory reports the private memory of each further interpreter, after one run.
func BenchmarkMemory(b *testing.B) {
	backend := backend(b)
	path := testutil.Shared(b, "models", "tf2_mobilenet_v2_1.0_224_ptq.tflite")
	for _, r := range []struct {
		name    string
		backend inference.Backend
	}{{"litert", backend}, {"tflite", tflite.New()}} {
		b.Run(r.name, func(b *testing.B) {
			m, err := r.backend.Open(path, options(inference.DelegateAuto))
			if err != nil {
				b.Fatal(err)
			}
			var open []inference.Interpreter
			add := func() {
				i, err := m.NewInterpreter()
				if err != nil {
					b.Fatal(err)
				}
				open = append(open, i)
				answer(b, i, make([]byte, i.Input().Bytes()))
			}
			add()
			before, n := testutil.PrivateBytes(b), 0
			for b.Loop() {
				add()
				n++
			}
			b.ReportMetric(float64(testutil.PrivateBytes(b)-before)/float64(n)/(1<<20), "MiB/interpreter")
			for _, i := range open {
				if err := i.Close(); err != nil {
					b.Error(err)
				}
			}
			if err := m.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}
