package app

import (
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/kernelcheck"
	"edgelens/inference/litert"
	"edgelens/inference/tflite"
	"edgelens/internal/config"
)

// newChecker returns the checker of kernels, which stores verdicts in the data folder.
func newChecker(c *config.Config, backend inference.Backend, prober inference.Prober, log *slog.Logger) *kernelcheck.Checker {
	return kernelcheck.New(kernelcheck.Config{
		Backend: backend, Prober: prober, Inference: c.Inference, Dir: filepath.Join(c.DataDir, "checked"),
		LibraryDigest: libraryDigest, Processor: kernelcheck.Processor, Log: log,
	})
}

// libraryDigest returns the digest of the library of a runtime that is loaded.
func libraryDigest(runtime string) (string, error) {
	switch runtime {
	case inference.RuntimeTFLite:
		return tflite.LibraryDigest()
	case inference.RuntimeLiteRT:
		if digest := litert.LibraryDigest(); digest != "" {
			return digest, nil
		}
	}
	return "", fmt.Errorf("no digest is known for the runtime %q", runtime)
}

// kernelConditions returns a condition for each model whose fastest kernels compute wrongly.
func kernelConditions(checks map[string]edgelens.KernelCheck) (all []edgelens.Condition) {
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		for _, r := range checks[name].Rejected {
			all = append(all, degraded("kernels of "+name, fmt.Sprintf(
				"%s compute wrongly on this machine: %s; the model answers with slower ones. Update the library, the driver or the processor's firmware; "+
					"docs/operations.md has the rest", kernelsText(r), r.Reason)))
		}
	}
	return all
}

// kernelsText names kernels, for example "the kernels of tflite 2.17.1 with xnnpack".
func kernelsText(r edgelens.RejectedKernels) string {
	with := r.Delegate
	if r.Accelerator != "" {
		with = r.Accelerator
	}
	return fmt.Sprintf("the kernels of %s %s with %s", r.Runtime, r.Version, with)
}

// acceleratorConditions returns a condition for each accelerator that does not run a model
// that it is to run.
func acceleratorConditions(accelerators map[string][]edgelens.ModelAccelerator) (all []edgelens.Condition) {
	for _, model := range slices.Sorted(maps.Keys(accelerators)) {
		for _, a := range accelerators[model] {
			if a.State == edgelens.AcceleratorOff {
				all = append(all, degraded(a.Name+" for "+model, "not used, the processor runs the model: "+a.Problem))
			}
		}
	}
	return all
}
