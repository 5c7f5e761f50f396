//go:build cgo

package preprocess

// #cgo LDFLAGS: -lturbojpeg
// #include <stdlib.h>
// #include <turbojpeg.h>
import "C"

import (
	"errors"
	"runtime"
	"unsafe"

	"gocv.io/x/gocv"
)

// turboJPEG is where libjpeg-turbo writes what it reads of a header: memory that is
// there already, as cgo has what it is given on the heap.
// It also keeps the memory of the pixels from one picture to the next: to take
// and give back some megabytes each time costs page faults, and fragments the heap
// of C (docs/adr/0013-turbojpeg.md).
type turboJPEG struct {
	width, height, sampling, space C.int

	kept []byte // of C
}

// mostKept bounds the pixels that are kept: those of 1920x1080 fit.
const mostKept = 8 << 20

// picture returns a Mat for so many pixels. What is in it may be an earlier
// picture, so all of it must be written. It is valid until t is used again.
func (t *turboJPEG) picture(width, height int) (gocv.Mat, error) {
	size := width * height * 3
	if size > mostKept {
		return gocv.NewMatWithSize(height, width, gocv.MatTypeCV8UC3), nil
	}
	if size > len(t.kept) {
		t.close()
		memory := C.malloc(C.size_t(size))
		if memory == nil {
			return gocv.Mat{}, errors.New("there is no memory")
		}
		t.kept = unsafe.Slice((*byte)(memory), size)
	}
	return gocv.NewMatFromBytes(height, width, gocv.MatTypeCV8UC3, t.kept[:size])
}

// close frees what is kept.
func (t *turboJPEG) close() {
	C.free(unsafe.Pointer(unsafe.SliceData(t.kept)))
	t.kept = nil
}

// decode decodes a JPEG that inspect has passed into an empty Mat, at a size in
// eighths, as 8-bit BGR and as stored. In full every pixel is what OpenCV gives,
// which uses libjpeg-turbo, too, and then converts row by row what that writes
// as BGR for nothing (docs/adr/0013-turbojpeg.md). It reports false for what it leaves to OpenCV:
// CMYK, and whatever libjpeg-turbo gives up on. A warning does not stop it: for
// data that is damaged or missing it then fills something in, as for OpenCV. The
// Mat must be closed before t is used again.
func (t *turboJPEG) decode(into *gocv.Mat, encoded []byte, h header, eighths int) bool {
	// A handle of its own: one that is used again decodes a file without tables
	// with those of the picture before.
	handle := C.tjInitDecompress()
	if handle == nil {
		return false
	}
	defer C.tjDestroy(handle)
	onlyWarned := func() bool { return C.tjGetErrorCode(handle) == C.TJERR_WARNING }

	data, size := (*C.uchar)(unsafe.Pointer(unsafe.SliceData(encoded))), C.ulong(len(encoded))
	if C.tjDecompressHeader3(handle, data, size, &t.width, &t.height, &t.sampling, &t.space) != 0 && !onlyWarned() ||
		int(t.width) != h.width || int(t.height) != h.height || t.space == C.TJCS_CMYK || t.space == C.TJCS_YCCK {
		return false
	}
	width, height := scaled(h.width, eighths), scaled(h.height, eighths)
	picture, err := t.picture(width, height)
	if err != nil {
		return false
	}
	pixels, err := picture.DataPtrUint8()
	if err != nil || len(pixels) != width*height*3 {
		picture.Close()
		return false
	}
	first, row := (*C.uchar)(unsafe.Pointer(unsafe.SliceData(pixels))), C.int(width*3) // a Mat of its own has no gaps
	failed := C.tjDecompress2(handle, data, size, first, C.int(width), row, C.int(height), C.TJPF_BGR, 0) != 0
	runtime.KeepAlive(encoded)
	if failed && !onlyWarned() {
		picture.Close()
		return false
	}
	into.Close()
	*into = picture
	return true
}
