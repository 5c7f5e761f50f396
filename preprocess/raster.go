//go:build cgo

package preprocess

// #include <stdlib.h>
import "C"

import (
	"fmt"
	"image"
	"math"
	"unsafe"

	"gocv.io/x/gocv"

	"edgelens"
)

// raster is a decoded image, or a part of one, as it is stored: 8-bit BGR, row by row
// without gaps. Every byte of it is of this image.
type raster struct {
	bgr           []byte
	width, height int
	// whole is the size of the whole image, and at the place of the raster in it.
	whole, at image.Point
	// own is C memory that belongs to this raster alone, and opencv a Mat that does;
	// bgr is in one of them, or in a buffer that is reused.
	own    unsafe.Pointer
	opencv gocv.Mat
	isMat  bool
}

// free releases the memory; bgr must not be used after it.
func (r raster) free() {
	C.free(r.own)
	if r.isMat {
		r.opencv.Close()
	}
}

// mat returns the raster as a Mat over the same memory.
func (r raster) mat() (gocv.Mat, error) {
	m, err := gocv.NewMatFromBytes(r.height, r.width, gocv.MatTypeCV8UC3, r.bgr)
	if err != nil {
		return gocv.Mat{}, fmt.Errorf("decode the image: %w: OpenCV rejected its pixels (%v)", edgelens.ErrBadImage, err)
	}
	return m, nil
}

// pixelBuffer is C memory for the pixels of one image at a time. It is reused
// for the next image: allocating and freeing some megabytes each time costs
// page faults, and fragments the heap of C (docs/adr/0013-turbojpeg.md). The zero
// value is ready to use.
type pixelBuffer struct{ kept []byte }

// maxKept limits the pixels that are kept: those of 1920x1080 fit.
const maxKept = 8 << 20

var errNoMemory = fmt.Errorf("decode the image: %w: there is not enough memory for its pixels; send it smaller", edgelens.ErrBadImage)

// take returns a raster of that many bytes. They may still contain an earlier image:
// the caller only uses those that it has certainly written, and calls discard
// if it fails. Memory that is kept is valid until b is used again.
func (b *pixelBuffer) take(width, height, channels int) (raster, error) {
	if int64(width)*int64(height)*int64(channels) > math.MaxInt { // where an int has 32 bits
		return raster{}, errNoMemory
	}
	size := width * height * channels
	r := raster{width: width, height: height, whole: image.Pt(width, height)}
	if size <= len(b.kept) {
		r.bgr = b.kept[:size]
		return r, nil
	}
	pointer := C.malloc(C.size_t(size))
	if pointer == nil {
		return raster{}, errNoMemory
	}
	r.bgr = unsafe.Slice((*byte)(pointer), size)
	if size > maxKept {
		r.own = pointer
		return r, nil
	}
	b.close()
	b.kept = r.bgr
	return r, nil
}

// discard clears and frees a raster whose decoding failed.
func (r raster) discard() {
	clear(r.bgr)
	r.free()
}

// close frees the memory that is kept.
func (b *pixelBuffer) close() {
	C.free(unsafe.Pointer(unsafe.SliceData(b.kept)))
	b.kept = nil
}
