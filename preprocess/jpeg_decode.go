//go:build cgo

package preprocess

// #cgo LDFLAGS: -ljpeg
// #include "libjpeg.h"
import "C"

import (
	"fmt"
	"image"
	"unsafe"

	"edgelens"
)

// decodeJPEG decodes a part of a JPEG that inspect has passed, at a size in eighths, with
// libjpeg-turbo. Every pixel is the same as OpenCV's, which uses that, too. damaged
// reports that data was wrong or missing and that libjpeg-turbo has filled
// the gaps. The error wraps edgelens.ErrBadImage.
//
// The result never contains an earlier image: a raster is only returned if
// libjpeg-turbo has written every row without a fatal error.
func decodeJPEG(buffer *pixelBuffer, h header, eighths int, part image.Rectangle) (r raster, damaged bool, err error) {
	width, height := scaled(h.width, eighths), scaled(h.height, eighths)
	channels := 3
	if h.components == 4 {
		channels = 4
	}
	if r, err = buffer.take(part.Dx(), part.Dy(), channels); err != nil {
		return raster{}, false, err
	}
	r.whole, r.at = image.Pt(width, height), part.Min
	verdict := C.edgelens_decode_jpeg((*C.uchar)(unsafe.SliceData(h.data)), C.size_t(len(h.data)), C.int(eighths), C.int(width), C.int(height), C.int(channels),
		C.edgelens_part{C.int(part.Min.X), C.int(part.Min.Y), C.int(part.Dx()), C.int(part.Dy())}, (*C.uchar)(unsafe.SliceData(r.bgr)))
	if verdict == C.EDGELENS_JPEG_DAMAGED && h.unterminated {
		r.discard()
		return raster{}, false, fmt.Errorf("decode jpeg: %w: it ends before its image data does, so a part is missing; send the whole file", edgelens.ErrBadImage)
	}
	if verdict == C.EDGELENS_JPEG_FAILED {
		r.discard()
		return raster{}, false, fmt.Errorf("decode jpeg: %w: its data is damaged; save the image again and send that", edgelens.ErrBadImage)
	}
	if channels == 4 {
		r.bgr = bgrOfCMYK(r.bgr)
	}
	return r, verdict == C.EDGELENS_JPEG_DAMAGED, nil
}

// bgrOfCMYK converts in place, as OpenCV does, and returns the part of the memory
// that holds the result. CMYK is inverted, as Adobe's programs write it (255 is no
// ink).
func bgrOfCMYK(pixels []byte) []byte {
	bgr := pixels[:len(pixels)/4*3]
	for in, out := 0, 0; in+4 <= len(pixels); in, out = in+4, out+3 {
		c, m, y, k := int(pixels[in]), int(pixels[in+1]), int(pixels[in+2]), int(pixels[in+3])
		bgr[out], bgr[out+1], bgr[out+2] = byte(k-(255-y)*k>>8), byte(k-(255-m)*k>>8), byte(k-(255-c)*k>>8)
	}
	return bgr
}
