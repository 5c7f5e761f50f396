//go:build cgo

package preprocess

import (
	"fmt"
	"image"
	"sync"
	"time"

	"gocv.io/x/gocv"

	"edgelens"
	"edgelens/models"
)

// A Preprocessor turns encoded images into tensors. Its methods are safe for
// concurrent use; the memory of one call is some 3 bytes for each pixel of its
// image and the encoded bytes once more, so the caller limits how many run
// at once.
type Preprocessor struct {
	limits  Config
	version string
	// background is the color behind transparent images.
	background bgrColor
	tables     tables
	scratch    scratchList
}

// oneThread keeps OpenCV, whose number of threads is a setting of the process,
// from starting threads that would compete with the interpreters for the cores.
var oneThread = sync.OnceFunc(func() { gocv.SetNumThreads(1) })

// New returns a Preprocessor that must be closed. The error is that of
// cfg.Validate.
func New(cfg Config) (*Preprocessor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("set up the preprocessing: %w", err)
	}
	oneThread()
	background, _ := parseColor(cfg.Background) // Validate has parsed it
	return &Preprocessor{limits: cfg, version: cfg.version(), background: background}, nil
}

// Close frees the memory that is kept between calls. Running calls of Tensor
// finish and free theirs; later ones return an error that wraps
// edgelens.ErrStopping. Closing twice does nothing.
func (p *Preprocessor) Close() error {
	p.scratch.close()
	return nil
}

// Version identifies everything that determines the tensor of an image: Version
// and those settings that change pixels.
func (p *Preprocessor) Version() string { return p.version }

// Inspect checks header and structure in pure Go before OpenCV sees a byte.
// Info.SHA256 is left empty. Errors wrap edgelens.ErrNoImage, ErrTooLarge (2 GB
// and more), ErrUnsupportedFormat or ErrBadImage. It uses nothing that Close
// frees, so it can be called after it.
func (p *Preprocessor) Inspect(encoded []byte) (edgelens.ImageInfo, error) {
	h, err := inspect(encoded, p.limits)
	if err != nil {
		return edgelens.ImageInfo{}, err
	}
	return h.info(), nil
}

// Tensor is Tensors for one tensor.
func (p *Preprocessor) Tensor(dst, encoded []byte, spec models.InputSpec) (edgelens.ImageInfo, edgelens.Timings, error) {
	return p.Tensors(encoded, models.InputBuffer{Spec: spec, Bytes: dst})
}

// Tensors inspects and decodes encoded once, then resizes, orients and
// normalizes it into each buffer, a tensor of shape [1 height width channels]
// in its spec's dtype. Info.SHA256 is left empty. Errors are Inspect's,
// edgelens.ErrBadImage for an image that fails to decode, ErrModel for a spec or a
// buffer that does not fit, and ErrStopping after Close. After an error the buffers
// contain nothing of this image, or its complete tensor.
func (p *Preprocessor) Tensors(encoded []byte, into ...models.InputBuffer) (edgelens.ImageInfo, edgelens.Timings, error) {
	begin := time.Now()
	for _, buffer := range into {
		if err := checkSpec(buffer.Bytes, buffer.Spec); err != nil {
			return edgelens.ImageInfo{}, edgelens.Timings{}, err
		}
	}
	h, err := inspect(encoded, p.limits)
	if err != nil {
		return edgelens.ImageInfo{}, edgelens.Timings{}, err
	}
	s, err := p.scratch.take()
	if err != nil {
		return edgelens.ImageInfo{}, edgelens.Timings{}, err
	}
	defer p.scratch.give(s)

	decoded, damaged, err := p.decode(s, h, into)
	if err != nil {
		return edgelens.ImageInfo{}, edgelens.Timings{}, err
	}
	defer decoded.free()
	pixels, err := decoded.mat()
	if err != nil {
		return edgelens.ImageInfo{}, edgelens.Timings{}, err
	}
	defer pixels.Close()
	decodedAt := time.Now()
	for _, buffer := range into {
		width, height := storedSize(buffer.Spec, h.orientation)
		small, err := s.resize(pixels, image.Pt(width, height), buffer.Spec.Channels)
		if err != nil {
			return edgelens.ImageInfo{}, edgelens.Timings{}, err
		}
		pack(buffer.Bytes, small, buffer.Spec, h.orientation, p.tables.of(buffer.Spec))
	}
	info := h.info()
	info.Damaged = damaged
	return info, edgelens.Timings{Decode: decodedAt.Sub(begin), Preprocess: time.Since(decodedAt)}, nil
}
