//go:build cgo && linux

package litert_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/inferencetest"
	"edgelens/inference/litert"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

// softwareDriver is SwiftShader, a Vulkan driver in software, of Debian's package
// chromium-common.
const softwareDriver = "/usr/lib/chromium/vk_swiftshader_icd.json"

// useSoftwareDriver lets Vulkan use SwiftShader alone, and skips the test without it.
func useSoftwareDriver(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(softwareDriver); err != nil {
		t.Skipf("there is no %s, a GPU in software: apt-get install chromium-common libvulkan1", softwareDriver)
	}
	t.Setenv("VK_DRIVER_FILES", softwareDriver)
	t.Setenv("VK_ICD_FILENAMES", softwareDriver)
}

// gpuBackend returns LiteRT with a GPU in software, for one test.
func gpuBackend(t testing.TB) *litert.Backend {
	t.Helper()
	folder := root(t)
	useSoftwareDriver(t)
	b, err := litert.New(litert.Config{Path: folder, GPU: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	if errors.Is(b.CheckGPU(), inference.ErrNotInstalled) {
		t.Skip(b.CheckGPU(), "; make setup RUNTIME=litert fetches it")
	}
	var problem *inference.AcceleratorError
	err = runOnce(onGPU{b}, write(t, modeltest.Network(tflitefile.Float32)), inference.DelegateAuto)
	if errors.As(err, &problem) && problem.Reason == inference.AcceleratorNoAdapter {
		t.Skip(err, "; apt-get install chromium-common libvulkan1")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// onGPU opens models for the graphics processor.
type onGPU struct{ inference.Backend }

func (b onGPU) Open(path string, options inference.Options) (inference.Model, error) {
	options.Accelerator = inference.AcceleratorGPU
	return b.Backend.Open(path, options)
}

func TestGPUContract(t *testing.T) {
	b := onGPU{gpuBackend(t)}
	for _, dtype := range []models.DType{models.Uint8, models.Int8, models.Float32} {
		t.Run(dtype.String(), func(t *testing.T) {
			inferencetest.Run(t, b, write(t, modeltest.Mean(modeltest.Options{Side: 8, DType: dtype, Softmax: true})))
		})
	}
}

// A GPU interpreter describes what runs it.
func TestGPUDelegation(t *testing.T) {
	b := gpuBackend(t)
	path := write(t, modeltest.Network(tflitefile.Float32))
	d := build(t, onGPU{b}, path, inference.DelegateAuto).Delegation()
	if d.Accelerator != inference.AcceleratorGPU || d.Delegate != inference.DelegateNone || !strings.Contains(d.Adapter, "SwiftShader") || !strings.HasSuffix(d.Adapter, ", software") {
		t.Errorf("got %+v, want the GPU with its adapter", d)
	}
	if want := "all operators by the accelerator gpu (" + d.Adapter + ")"; d.String() != want {
		t.Errorf("got %q, want %q", d, want)
	}
	if d := build(t, b, path, inference.DelegateAuto).Delegation(); d.Accelerator != "" || d.Adapter != "" {
		t.Errorf("a model on the CPU: %+v, want no accelerator", d)
	}
}

// farthest returns the largest difference of two outputs.
func farthest(a, b []float64) float64 {
	most := 0.0
	for i := range a {
		most = max(most, math.Abs(a[i]-b[i]))
	}
	return most
}

// The GPU answers as the CPU does: float32 to 5 decimals, and quantized models, which it
// computes in floating point and the CPU in steps of 8 bits, within a few steps.
func TestGPUAgreesWithCPU(t *testing.T) {
	b := gpuBackend(t)
	for name, c := range map[string]struct {
		file  []byte
		limit float64 // measured: 2e-7 of float32, 1 step of int8
	}{
		"network float32": {modeltest.Network(tflitefile.Float32), 1e-5}, "network int8": {modeltest.Network(tflitefile.Int8), 3.0 / 256},
		"mean float32": {modeltest.Mean(modeltest.Options{Side: 8, DType: models.Float32, Softmax: true}), 1e-5},
		"mean int8":    {modeltest.Mean(modeltest.Options{Side: 8, DType: models.Int8, Softmax: true}), 3.0 / 256},
		"mean uint8":   {modeltest.Mean(modeltest.Options{Side: 8, DType: models.Uint8, Softmax: true}), 3.0 / 256},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.file)
			gpu, cpu := build(t, onGPU{b}, path, inference.DelegateAuto), build(t, b, path, inference.DelegateAuto)
			most := 0.0
			for seed := range 8 {
				input := fill(cpu.Input(), func(i int) float64 { return float64((i*31+seed*97)%256) / 256 })
				most = max(most, farthest(real(gpu.Output(), answer(t, gpu, input)), real(cpu.Output(), answer(t, cpu, input))))
			}
			t.Logf("at most %.2g apart", most)
			if most > c.limit {
				t.Errorf("the GPU's scores are up to %v from the CPU's, want at most %v", most, c.limit)
			}
		})
	}
}

// The GPU gives the CPU's first class on photographs. Measured: scores of quantized models
// are up to 8 steps of 256 apart.
func TestGPUSameClasses(t *testing.T) {
	b := gpuBackend(t)
	images, err := filepath.Glob(filepath.Join(testutil.Shared(t, "images"), "*.*"))
	if err != nil || len(images) == 0 {
		t.Fatal("no images: ", err)
	}
	if testing.Short() {
		images = images[:1]
	}
	for _, path := range []string{
		"../../models/quality/snapshot_quality.tflite", testutil.Shared(t, "models", "tf2_mobilenet_v2_1.0_224_ptq.tflite"),
		testutil.Shared(t, "models", "mobilenet_v2_1.0_224_quant.tflite"), testutil.Shared(t, "models", "mobilenet_v1_0.25_128_quant.tflite"),
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			gpu, cpu := build(t, onGPU{b}, path, inference.DelegateAuto), build(t, b, path, inference.DelegateAuto)
			for _, image := range images {
				input := photo(t, image, cpu.Input())
				got, want := real(gpu.Output(), answer(t, gpu, input)), real(cpu.Output(), answer(t, cpu, input))
				g, w := first(got), first(want)
				t.Logf("%s: class %d with %.3f, the CPU's %d with %.3f; at most %.3f apart", filepath.Base(image), g, got[g], w, want[w], farthest(got, want))
				if g != w || farthest(got, want) > 12.0/256 {
					t.Errorf("%s: the GPU's class is %d, the CPU's %d; the scores are %.3f apart", filepath.Base(image), g, w, farthest(got, want))
				}
			}
		})
	}
}

// A model that the GPU runs in part only is rejected with the operator, and runs on the
// CPU.
func TestGPUUnsupported(t *testing.T) {
	b := gpuBackend(t)
	path := write(t, modeltest.Network(tflitefile.Uint8))
	err := runOnce(onGPU{b}, path, inference.DelegateAuto)
	var problem *inference.AcceleratorError
	if !errors.Is(err, edgelens.ErrModel) || !errors.As(err, &problem) || problem.Reason != inference.AcceleratorUnsupported || !strings.Contains(err.Error(), "not FULLY_CONNECTED; run it on the CPU") {
		t.Errorf("got %v, want an AcceleratorError that names the operator", err)
	}
	if err := errors.Join(runOnce(b, path, inference.DelegateAuto), b.CheckGPU()); err != nil {
		t.Errorf("the CPU, and the GPU for other models: %v", err)
	}
}

// Many goroutines share the GPU; each gets its own answers.
func TestGPUManyGoroutines(t *testing.T) {
	b := gpuBackend(t)
	path := write(t, modeltest.Network(tflitefile.Int8))
	i := build(t, onGPU{b}, path, inference.DelegateAuto)
	const goroutines = 8
	var wg sync.WaitGroup
	for n := range goroutines {
		input := bytes.Repeat([]byte{byte(32 * n)}, i.Input().Bytes())
		want := answer(t, i, input)
		wg.Go(func() {
			for range 3 {
				if err := once(onGPU{b}, path, input, want); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// threads returns how many threads this process has.
func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// Opening and closing again and again leaves neither memory nor threads.
func TestGPUDoesNotLeak(t *testing.T) {
	b := gpuBackend(t)
	path := testutil.Shared(t, "models", "mobilenet_v1_0.25_128_quant.tflite")
	cycle := func() {
		if err := runOnce(onGPU{b}, path, inference.DelegateAuto); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		cycle()
	}
	threadsBefore := threads(t)
	const cycles = 20
	testutil.DoesNotLeak(t, cycles, 4<<20, cycle)      // an interpreter has 1.5 MB
	if n := threads(t) - threadsBefore; n > cycles/2 { // some may be Go's
		t.Errorf("%d cycles left %d threads", cycles, n)
	}
}

// BenchmarkGPU reports, of a model on the GPU, the time to open it and to build its first and
// second interpreter, the private memory of each, and the best time of a run beside the
// CPU's.
func BenchmarkGPU(b *testing.B) {
	backend := gpuBackend(b)
	for _, file := range []string{"mobilenet_v1_0.25_128_quant.tflite", "mobilenet_v2_1.0_224_quant.tflite", "tf2_mobilenet_v2_1.0_224_ptq.tflite"} {
		b.Run(file, func(b *testing.B) {
			path := testutil.Shared(b, "models", file)
			cpu := build(b, backend, path, inference.DelegateAuto)
			m, err := onGPU{backend}.Open(path, options(inference.DelegateAuto))
			if err != nil {
				b.Fatal(err)
			}
			var gpu [2]inference.Interpreter
			built := map[string]float64{} // reported last: b.Loop resets what was reported before it
			for n := range gpu {
				before, start := testutil.PrivateBytes(b), time.Now()
				if gpu[n], err = m.NewInterpreter(); err != nil {
					b.Fatal(err)
				}
				built[fmt.Sprintf("build%d-ms", n+1)] = time.Since(start).Seconds() * 1e3
				answer(b, gpu[n], make([]byte, gpu[n].Input().Bytes()))
				built[fmt.Sprintf("build%d-MiB", n+1)] = float64(testutil.PrivateBytes(b)-before) / (1 << 20)
			}
			best := [2]time.Duration{time.Hour, time.Hour}
			for b.Loop() {
				for n, i := range []inference.Interpreter{gpu[0], cpu} {
					start := time.Now()
					if err := i.Invoke(); err != nil {
						b.Fatal(err)
					}
					best[n] = min(best[n], time.Since(start))
				}
			}
			for unit, value := range built {
				b.ReportMetric(value, unit)
			}
			b.ReportMetric(best[0].Seconds()*1e3, "gpu-best-ms")
			b.ReportMetric(best[1].Seconds()*1e3, "cpu-best-ms")
			if err := errors.Join(gpu[0].Close(), gpu[1].Close(), m.Close()); err != nil {
				b.Error(err)
			}
		})
	}
}
