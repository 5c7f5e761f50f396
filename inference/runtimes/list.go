package runtimes

import (
	"strings"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/litert"
)

// List describes the runtimes: TensorFlow Lite, and LiteRT whether it is installed or not.
// LiteRT's library is not opened for it.
func (s *Set) List() []edgelens.InstalledRuntime {
	own := edgelens.InstalledRuntime{Name: inference.RuntimeTFLite, Version: s.tflite.Version()}
	if err := s.Check(); err != nil {
		own.Problem = withoutPrefix(err)
	}
	other := edgelens.InstalledRuntime{Name: inference.RuntimeLiteRT, Version: litert.Version, Library: s.library}
	if s.missing != nil {
		other.Problem = withoutPrefix(s.missing)
	}
	return []edgelens.InstalledRuntime{own, other}
}

// Accelerators describes the accelerators. LiteRT's library is not opened for it.
func (s *Set) Accelerators() []edgelens.InstalledAccelerator {
	gpu := edgelens.InstalledAccelerator{Name: inference.AcceleratorGPU}
	s.mu.Lock()
	opened := s.litert
	s.mu.Unlock()
	switch {
	case !s.gpu:
		gpu.Problem = "not used: inference.accelerators does not have it"
	case s.missing != nil:
		gpu.Problem = withoutPrefix(s.missing)
	case opened == nil:
		gpu.Problem = "not opened yet: it is with the first model"
	default:
		if err := opened.CheckGPU(); err != nil {
			gpu.Problem = withoutPrefix(err)
		}
	}
	return []edgelens.InstalledAccelerator{gpu}
}

// withoutPrefix returns the sentence of an error that is about no model.
func withoutPrefix(err error) string {
	return strings.TrimPrefix(err.Error(), edgelens.ErrModel.Error()+": ")
}
