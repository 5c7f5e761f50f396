//go:build cgo

package preprocess

// #cgo LDFLAGS: -lturbojpeg
// #include <turbojpeg.h>
import "C"

import (
	"runtime"
	"unsafe"

	"gocv.io/x/gocv"
)

// turboJPEG is where libjpeg-turbo writes what it reads of a header: memory that is
// there already, as cgo has what it is given on the heap.
type turboJPEG struct{ width, height, sampling, space C.int }

// decode decodes a JPEG that inspect has passed into an empty Mat, at a size in
// eighths, as 8-bit BGR and as stored. In full every pixel is what OpenCV gives,
// which uses libjpeg-turbo, too, and then converts row by row what that writes
// as BGR for nothing (docs/adr/0013-turbojpeg.md). It reports false for what it leaves to OpenCV:
// CMYK, and whatever libjpeg-turbo gives up on. A warning does not stop it: for
// data that is damaged or missing it then fills something in, as for OpenCV.
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
	picture := gocv.NewMatWithSize(height, width, gocv.MatTypeCV8UC3)
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
