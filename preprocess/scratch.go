//go:build cgo

package preprocess

import (
	"fmt"
	"image"
	"image/color"
	"sync"

	"gocv.io/x/gocv"

	"edgelens"
)

// scratch holds the small images of one call. Between calls it keeps their
// memory, which OpenCV reuses for an image of the same size and type.
type scratch struct {
	resized, padded, gray gocv.Mat
	pixels                pixelBuffer
}

func newScratch() *scratch {
	return &scratch{resized: gocv.NewMat(), padded: gocv.NewMat(), gray: gocv.NewMat()}
}

func (s *scratch) close() {
	s.resized.Close()
	s.padded.Close()
	s.gray.Close()
	s.pixels.close()
}

// cut is a part of a stored image, and what becomes of it: it is stretched to inner,
// between bars where that is smaller than size.
type cut struct {
	part, inner image.Rectangle
	size        image.Point
	// channels is 3 (BGR) or 1 (gray).
	channels int
}

// resize makes a cut of a BGR image, and returns its pixels, row by row without gaps.
// They are valid until s or mat is used again.
func (s *scratch) resize(mat gocv.Mat, c cut) ([]byte, error) {
	now, err := s.stretch(mat, c.part, c.inner.Size())
	if err != nil {
		return nil, resizeError(err)
	}
	if c.inner.Size() != c.size {
		gray := color.RGBA{padding, padding, padding, 0}
		if err := gocv.CopyMakeBorder(now, &s.padded, c.inner.Min.Y, c.size.Y-c.inner.Max.Y, c.inner.Min.X, c.size.X-c.inner.Max.X, gocv.BorderConstant, gray); err != nil {
			return nil, resizeError(err)
		}
		now = s.padded
	}
	if c.channels == 1 {
		if err := gocv.CvtColor(now, &s.gray, gocv.ColorBGRToGray); err != nil {
			return nil, resizeError(err)
		}
		now = s.gray
	}
	pixels, err := now.DataPtrUint8()
	if err != nil {
		return nil, resizeError(err)
	}
	if len(pixels) != c.size.X*c.size.Y*c.channels {
		return nil, resizeError(fmt.Errorf("%d bytes of pixels", len(pixels)))
	}
	return pixels, nil
}

// stretch returns a part of an image at a size: the image itself where that is all of
// it, else s.resized. Pixels outside of the part have no influence.
func (s *scratch) stretch(mat gocv.Mat, part image.Rectangle, size image.Point) (gocv.Mat, error) {
	whole := image.Rect(0, 0, mat.Cols(), mat.Rows())
	if !part.In(whole) || part.Empty() {
		return gocv.Mat{}, fmt.Errorf("%v of %v", part, whole)
	}
	if part != whole {
		region := mat.Region(part)
		defer region.Close()
		mat = region
	}
	if part.Size() != size {
		return s.resized, gocv.Resize(mat, &s.resized, size, 0, 0, gocv.InterpolationLinear)
	}
	if part != whole {
		return s.resized, mat.CopyTo(&s.resized) // a region has gaps between its rows
	}
	return mat, nil
}

func resizeError(err error) error {
	return fmt.Errorf("resize the image: %w: OpenCV rejected it (%v); save the image again and send that", edgelens.ErrBadImage, err)
}

// maxScratch limits how many scratches are kept for the next call. Each keeps
// some 150 kB for a model of 224x224, and the pixels of an image up to maxKept; those
// over the limit are freed.
const maxScratch = 16

// scratchList is a pool of scratches. The zero value is ready to use.
type scratchList struct {
	mu     sync.Mutex
	free   []*scratch
	closed bool
}

// take returns a scratch, which must be given back.
func (l *scratchList) take() (*scratch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("take memory for the image: %w: the preprocessing is closed; try again once the service has restarted", edgelens.ErrStopping)
	}
	if n := len(l.free); n > 0 {
		s := l.free[n-1]
		l.free = l.free[:n-1]
		return s, nil
	}
	return newScratch(), nil
}

// give takes a scratch back, or frees it if it is not needed any more.
func (l *scratchList) give(s *scratch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.free) >= maxScratch {
		s.close()
		return
	}
	l.free = append(l.free, s)
}

// close frees the idle scratches; those in use are freed when they are given back.
func (l *scratchList) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, s := range l.free {
		s.close()
	}
	l.free = nil
}
