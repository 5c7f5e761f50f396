//go:build !cgo

package preprocess

import (
	"fmt"

	"edgelens"
	"edgelens/models"
)

// A Preprocessor is not available in a build without cgo; New returns an error.
type Preprocessor struct{ limits Config }

var errNoCgo = fmt.Errorf("set up the preprocessing: %w: this program was built without cgo and so without OpenCV; build it with CGO_ENABLED=1", edgelens.ErrModel)

// New returns an error that wraps edgelens.ErrModel.
func New(Config) (*Preprocessor, error) { return nil, errNoCgo }

// Close does nothing.
func (p *Preprocessor) Close() error { return nil }

// Version returns the same as in a build with cgo.
func (p *Preprocessor) Version() string { return p.limits.version() }

// Inspect does the same as in a build with cgo.
func (p *Preprocessor) Inspect(encoded []byte) (edgelens.ImageInfo, error) {
	h, err := inspect(encoded, p.limits)
	if err != nil {
		return edgelens.ImageInfo{}, err
	}
	return h.info(), nil
}

// Tensor returns an error that wraps edgelens.ErrModel.
func (p *Preprocessor) Tensor(_, _ []byte, _ models.InputSpec) (edgelens.ImageInfo, edgelens.Timings, error) {
	return edgelens.ImageInfo{}, edgelens.Timings{}, errNoCgo
}

// Tensors returns an error that wraps edgelens.ErrModel.
func (p *Preprocessor) Tensors([]byte, ...models.InputBuffer) (models.Filled, error) {
	return models.Filled{}, errNoCgo
}

// Fit does the same as in a build with cgo.
func (p *Preprocessor) Fit() edgelens.Fit { return p.limits.Fit }

// Messages returns 0.
func Messages() uint64 { return 0 }
