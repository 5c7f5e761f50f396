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

// withoutPrefix returns the sentence of an error that is about no model.
func withoutPrefix(err error) string {
	return strings.TrimPrefix(err.Error(), edgelens.ErrModel.Error()+": ")
}
