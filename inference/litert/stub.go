//go:build !cgo || !linux

package litert

import (
	"fmt"

	"edgelens"
	"edgelens/inference"
)

// Backend cannot open anything in a build without cgo or for another system.
type Backend struct{}

// Config configures a Backend.
type Config struct {
	// Path is the library, or the folder that holds it.
	Path string
	// GPU makes it possible to open models for inference.AcceleratorGPU.
	GPU bool
}

// New returns an error that wraps edgelens.ErrModel.
func New(Config) (*Backend, error) { return nil, errNotBuilt() }

// Version returns "".
func (*Backend) Version() string { return "" }

// CheckGPU returns an error that wraps edgelens.ErrModel.
func (*Backend) CheckGPU() error { return errNotBuilt() }

// Open returns an error that wraps edgelens.ErrModel.
func (*Backend) Open(string, inference.Options) (inference.Model, error) { return nil, errNotBuilt() }

// Close does nothing.
func (*Backend) Close() error { return nil }

func errNotBuilt() error {
	return fmt.Errorf("%w: this program was built without LiteRT, which needs cgo and Linux; build it with `make build`", edgelens.ErrModel)
}
