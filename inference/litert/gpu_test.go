//go:build cgo && linux

package litert_test

import (
	"errors"
	"os"
	"testing"

	"edgelens/inference"
	"edgelens/inference/inferencetest"
	"edgelens/inference/litert"
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
	if errors.As(err, &problem) && problem.Reason == inference.AcceleratorNoDevice {
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
