//go:build cgo

package preprocess

// #cgo LDFLAGS: -lpng16
// #include "libpng.h"
import "C"

import (
	"fmt"
	"unsafe"

	"edgelens"
)

// decodePNG decodes a PNG that inspect has passed, with libpng, and blends it over
// the background. damaged reports that the checksum of its image
// data is wrong. The error wraps edgelens.ErrBadImage.
func decodePNG(buffer *pixelBuffer, h header, background bgrColor) (r raster, damaged bool, err error) {
	channels := int(h.channels)
	if r, err = buffer.take(h.width, h.height, channels); err != nil {
		return raster{}, false, err
	}
	clean := pngData(h.data, h.dataBytes)
	decode := func(anyChecksum C.int) bool {
		return C.edgelens_decode_png((*C.uchar)(unsafe.SliceData(clean)), C.size_t(len(clean)), (*C.uchar)(unsafe.SliceData(r.bgr)),
			C.int(h.width), C.int(h.height), C.int(channels), anyChecksum) == 1
	}
	if !decode(0) {
		if damaged = true; !decode(1) {
			r.discard()
			return raster{}, false, fmt.Errorf("decode png: %w: its data is damaged, or a part of it is missing; save the image again and send that", edgelens.ErrBadImage)
		}
	}
	if channels == 4 {
		r.bgr = flatten(r.bgr, background)
	}
	return r, damaged, nil
}
