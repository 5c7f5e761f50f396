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
// concurrent use; Plan returns how much memory a call takes, and the caller limits how many
// run at once.
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
	if cfg.Fit == "" {
		cfg.Fit = edgelens.DefaultFit
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

// Fit is how images are shown for which no one has chosen another; never empty.
func (p *Preprocessor) Fit() edgelens.Fit { return p.limits.Fit }

// Tensor is Tensors for one tensor of the whole image, stretched.
func (p *Preprocessor) Tensor(dst, encoded []byte, spec models.InputSpec) (edgelens.ImageInfo, edgelens.Timings, error) {
	filled, err := p.Tensors(encoded, models.InputBuffer{Spec: spec, View: edgelens.View{Fit: edgelens.FitStretch}, Bytes: dst})
	return filled.Image, filled.Timings, err
}

// Tensors inspects and decodes encoded once, then cuts, resizes, orients and normalizes
// what each buffer is to show into it, a tensor of shape [1 height width channels]
// in its spec's dtype. What it returns is of the first buffer; the first part of a
// sweep is in its buffer, and the others are in Filled.More. Only the first can be a
// sweep. Image.SHA256 is left empty.
//
// Errors are Inspect's, edgelens.ErrBadImage for an image that fails to decode,
// ErrInvalid for a region with too few pixels, ErrModel for a spec or a buffer that does
// not fit, and ErrStopping after Close. After an error the buffers contain nothing of this
// image, or its complete tensor.
func (p *Preprocessor) Tensors(encoded []byte, into ...models.InputBuffer) (models.Filled, error) {
	begin := time.Now()
	h, err := check(encoded, into, p.limits)
	if err != nil {
		return models.Filled{}, err
	}
	s, err := p.scratch.take()
	if err != nil {
		return models.Filled{}, err
	}
	defer p.scratch.give(s)

	decoded, damaged, err := p.decode(s, h, into)
	if err != nil {
		return models.Filled{}, err
	}
	defer decoded.free()
	pixels, err := decoded.mat()
	if err != nil {
		return models.Filled{}, err
	}
	defer pixels.Close()
	decodedAt := time.Now()
	var filled models.Filled
	for i, buffer := range into {
		count, more, err := p.fill(s, decoded, pixels, h.orientation, buffer)
		if err != nil {
			return models.Filled{}, err
		}
		if i == 0 {
			filled.View, filled.More = edgelens.ShownView{View: buffer.View, Count: count}, more
		}
	}
	filled.Image = h.info()
	filled.Image.Damaged = damaged
	filled.Timings = edgelens.Timings{Decode: decodedAt.Sub(begin), Preprocess: time.Since(decodedAt)}
	return filled, nil
}

// fill fills a buffer with the first part of a stored image that it shows, and new
// tensors with the others.
func (p *Preprocessor) fill(s *scratch, decoded raster, pixels gocv.Mat, orientation int, buffer models.InputBuffer) (count int, more [][]byte, err error) {
	upright := turned(decoded.whole, orientation)
	shown, err := partsOf(buffer, upright)
	if err != nil {
		return 0, nil, err
	}
	spec := buffer.Spec
	input := image.Pt(spec.Width, spec.Height)
	c := cut{
		inner: storedRect(shown.inner, input, orientation),
		size:  turned(input, orientation), channels: spec.Channels,
	}
	for i, part := range shown.rects[:shown.count] {
		dst := buffer.Bytes
		if i > 0 {
			dst = make([]byte, spec.Bytes())
			more = append(more, dst)
		}
		c.part = storedRect(part, upright, orientation).Sub(decoded.at)
		small, err := s.resize(pixels, c)
		if err != nil {
			return 0, nil, err
		}
		pack(dst, small, spec, orientation, p.tables.of(spec))
	}
	return shown.count, more, nil
}
