//go:build !cgo

package tflite

import (
	"fmt"

	"edgelens"
	"edgelens/inference"
)

// Backend cannot open anything in a build without cgo.
type Backend struct{}

// New returns a Backend that cannot open anything.
func New() Backend { return Backend{} }

// Version returns "".
func (Backend) Version() string { return "" }

// Check returns nil: Open reports that there is no library.
func (Backend) Check() error { return nil }

// Open returns an error that wraps edgelens.ErrModel.
func (Backend) Open(string, inference.Options) (inference.Model, error) {
	return nil, fmt.Errorf("%w: this program was built without cgo, so without TensorFlow Lite; build it with `make build`", edgelens.ErrModel)
}
