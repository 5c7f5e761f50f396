package preprocess

import (
	"encoding/binary"

	"edgelens"
)

// checkWebP walks the chunks of a WebP
// (https://developers.google.com/speed/webp/docs/riff_container) and reads the
// dimensions from the header of its bitstream, VP8 (RFC 6386, 9.1) or VP8L
// (RFC 9649, 3.4). What passes also passes WebPGetFeatures, so that OpenCV
// gives it to libwebp and not to the next decoder in its list.
func checkWebP(b []byte, limits Config) (header, error) {
	if len(b) < 12 {
		return header{}, refuse(edgelens.ErrBadImage, "webp", "it ends within its header, so a part is missing; send the whole file")
	}
	if string(b[8:12]) != "WEBP" {
		return header{}, refuse(edgelens.ErrUnsupportedFormat, "image", "it seems to be sound or video (RIFF); send a JPEG, PNG, WebP or BMP file")
	}
	riff := int64(binary.LittleEndian.Uint32(b[4:])) // all that follows these 8 bytes
	if riff > int64(len(b)-8) {
		return header{}, refuse(edgelens.ErrBadImage, "webp", "it is shorter than it says, so a part is missing; send the whole file")
	}
	if riff < 12 {
		return header{}, damagedWebP("it is too small")
	}
	w := webp{limits: limits, header: header{format: "webp", orientation: 1}}
	for rest := b[12 : 8+riff]; len(rest) > 0; {
		if len(rest) < 8 {
			return header{}, damagedWebP("its last chunk is cut off")
		}
		size := int64(binary.LittleEndian.Uint32(rest[4:]))
		if size > int64(len(rest)-8) {
			return header{}, damagedWebP("a chunk reaches beyond its end")
		}
		if err := w.chunk(rest[:4], rest[8:8+size]); err != nil {
			return header{}, err
		}
		rest = rest[min(8+size+size&1, int64(len(rest))):] // chunks are padded to an even size
	}
	if w.bitstreams != 1 {
		return header{}, damagedWebP("it has no picture in it, or more than one")
	}
	return w.header, nil
}

func damagedWebP(what string) error {
	return refuse(edgelens.ErrBadImage, "webp", "%s; save the picture again and send that", what)
}

// webp is what is known of a WebP while its chunks are walked.
type webp struct {
	header
	limits     Config
	chunks     int
	bitstreams int
	extended   bool
	exif       bool
	// canvas is the size that VP8X gives.
	canvasWidth, canvasHeight int64
}

// chunk takes one chunk into account.
func (w *webp) chunk(kind, data []byte) error {
	w.chunks++
	switch string(kind) {
	case "VP8X":
		if w.chunks != 1 || len(data) != 10 {
			return damagedWebP("its VP8X chunk is damaged")
		}
		const animation = 0x02
		if data[0]&animation != 0 {
			return refuse(edgelens.ErrBadImage, "webp", "it is animated; send one frame")
		}
		w.extended = true
		w.canvasWidth, w.canvasHeight = 1+uint24(data[4:]), 1+uint24(data[7:])
		return w.limits.allow("webp", w.canvasWidth, w.canvasHeight)
	case "ANIM", "ANMF":
		return refuse(edgelens.ErrBadImage, "webp", "it is animated; send one frame")
	case "VP8 ":
		width, height, ok := readVP8(data)
		return w.bitstream(width, height, ok)
	case "VP8L":
		width, height, ok := readVP8L(data)
		return w.bitstream(width, height, ok)
	case "EXIF":
		if !w.exif {
			w.exif = true
			w.orientation = exifOrientation(data)
		}
	}
	if w.chunks == 1 {
		return damagedWebP("its first chunk is not a picture")
	}
	return nil
}

// bitstream takes the dimensions of a VP8 or VP8L chunk.
func (w *webp) bitstream(width, height int64, ok bool) error {
	w.bitstreams++
	if !ok || !w.extended && w.chunks != 1 {
		return damagedWebP("its picture data is damaged")
	}
	if w.extended && (width != w.canvasWidth || height != w.canvasHeight) {
		return damagedWebP("its two headers disagree about its size")
	}
	w.width, w.height = int(width), int(height)
	return w.limits.allow("webp", width, height)
}

// readVP8 reads a frame tag (key frame, version, shown, size of the first
// partition) and a key frame header (start code, width, height).
func readVP8(data []byte) (width, height int64, ok bool) {
	if len(data) < 10 || data[3] != 0x9D || data[4] != 0x01 || data[5] != 0x2A {
		return 0, 0, false
	}
	tag := uint24(data)
	keyFrame, version, shown, partition := tag&1 == 0, tag>>1&7, tag>>4&1 == 1, tag>>5
	if !keyFrame || version > 3 || !shown || partition >= int64(len(data)) {
		return 0, 0, false
	}
	width = int64(binary.LittleEndian.Uint16(data[6:]) & 0x3FFF)
	height = int64(binary.LittleEndian.Uint16(data[8:]) & 0x3FFF)
	return width, height, true
}

// readVP8L reads a signature byte, 14 bits each of width - 1 and height - 1,
// an alpha bit and three bits of version, which must be 0.
func readVP8L(data []byte) (width, height int64, ok bool) {
	if len(data) < 5 || data[0] != 0x2F {
		return 0, 0, false
	}
	bits := binary.LittleEndian.Uint32(data[1:])
	return int64(bits&0x3FFF) + 1, int64(bits>>14&0x3FFF) + 1, bits>>29 == 0
}

func uint24(b []byte) int64 { return int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16 }
