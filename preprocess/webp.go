package preprocess

import (
	"encoding/binary"

	"edgelens"
)

// webpFrame is the first frame of an animation.
type webpFrame struct {
	// x, y, width and height are its position on the canvas, in pixels.
	x, y, width, height int
	// chunks are those of an image: ALPH and VP8, or VP8L.
	chunks []byte
}

// checkWebP walks the chunks of a WebP
// (https://developers.google.com/speed/webp/docs/riff_container) and reads the
// dimensions from the header of its bitstream, VP8 (RFC 6386, 9.1) or VP8L
// (RFC 9649, 3.4). A file that passes also passes WebPGetFeatures, so that OpenCV
// gives it to libwebp and not to the next decoder in its list. The first frame of an
// animation is used.
func checkWebP(b []byte, limits Config) (header, error) {
	if len(b) < 12 {
		return header{}, refuse(edgelens.ErrBadImage, "webp", "it ends within its header, so a part is missing; send the whole file")
	}
	if string(b[8:12]) != "WEBP" {
		return header{}, refuse(edgelens.ErrUnsupportedFormat, "image", "it seems to be sound or video (RIFF); send a %s file", accepted)
	}
	riff := int64(binary.LittleEndian.Uint32(b[4:])) // all that follows these 8 bytes
	if riff > int64(len(b)-8) {
		return header{}, refuse(edgelens.ErrBadImage, "webp", "it is shorter than its header declares, so a part is missing; send the whole file")
	}
	if riff < 12 {
		return header{}, damagedWebP("it is too small")
	}
	w := webp{limits: limits, header: header{format: "webp", orientation: 1, channels: 3}}
	if err := w.walk(b[12 : 8+riff]); err != nil {
		return header{}, err
	}
	if w.bitstreams != 1 {
		return header{}, damagedWebP("it has no image in it, or more than one")
	}
	w.orientation = w.found.upright()
	w.fixed += 2*int64(len(b)) + w.found.memory() // OpenCV's copy, and that of a frame
	return w.header, nil
}

func damagedWebP(what string) error {
	return refuse(edgelens.ErrBadImage, "webp", "%s; save the image again and send that", what)
}

// webp is the state of a WebP while its chunks are walked.
type webp struct {
	header
	found      orientations
	limits     Config
	chunks     int
	bitstreams int
	extended   bool
	animated   bool
	// alpha is the chunk with the transparency of a VP8 bitstream.
	alpha []byte
	// canvas is the size that VP8X gives.
	canvasWidth, canvasHeight int64
}

// walk processes chunks, one after the other.
func (w *webp) walk(rest []byte) error {
	for len(rest) > 0 {
		kind, data, after, err := nextWebPChunk(rest)
		if err != nil {
			return err
		}
		if err := w.chunk(string(kind), data); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// nextWebPChunk splits the first chunk off. Chunks are padded to an even size.
func nextWebPChunk(b []byte) (kind, data, after []byte, err error) {
	if len(b) < 8 {
		return nil, nil, nil, damagedWebP("its last chunk is cut off")
	}
	size := int64(binary.LittleEndian.Uint32(b[4:]))
	if size > int64(len(b)-8) {
		return nil, nil, nil, damagedWebP("a chunk reaches beyond its end")
	}
	return b[:4], b[8 : 8+size], b[min(8+size+size&1, int64(len(b))):], nil
}

// chunk processes one chunk.
func (w *webp) chunk(kind string, data []byte) error {
	w.chunks++
	switch kind {
	case "VP8X":
		if w.chunks != 1 || len(data) != 10 {
			return damagedWebP("its VP8X chunk is damaged")
		}
		const animation, alpha = 0x02, 0x10
		w.extended, w.animated = true, data[0]&animation != 0
		if data[0]&alpha != 0 {
			w.channels = 4
		}
		w.canvasWidth, w.canvasHeight = 1+uint24(data[4:]), 1+uint24(data[7:])
		return w.limits.allow("webp", w.canvasWidth, w.canvasHeight)
	case "ANMF":
		if !w.extended {
			return damagedWebP("it has a frame of an animation and no canvas")
		}
		if w.frame != nil { // a later frame
			return nil
		}
		return w.firstFrame(data)
	case "VP8 ", "VP8L":
		if w.animated {
			return damagedWebP("it is an animation with an image that is no frame")
		}
		width, height, ok := readWebPBitstream(kind, data)
		if err := w.bitstream(width, height, ok); err != nil {
			return err
		}
		return w.demand(kind, data, w.alpha, width, height)
	case "ALPH":
		w.alpha = data
	case "EXIF":
		w.found.exif = first(w.found.exif, exifOrientation(data))
	case "XMP ":
		w.found.readXMP(data)
	}
	if w.chunks == 1 {
		return damagedWebP("its first chunk is not an image")
	}
	return nil
}

// bitstream reads the dimensions of a VP8 or VP8L chunk.
func (w *webp) bitstream(width, height int64, ok bool) error {
	w.bitstreams++
	if !ok || !w.extended && w.chunks != 1 {
		return damagedWebP("its image data is damaged")
	}
	if w.extended && (width != w.canvasWidth || height != w.canvasHeight) {
		return damagedWebP("its two headers disagree about its size")
	}
	w.width, w.height = int(width), int(height)
	return w.limits.allow("webp", width, height)
}

// firstFrame reads an ANMF chunk: the frame's position on the canvas, halved; its
// size less one; duration and flags; and the chunks of an image.
func (w *webp) firstFrame(data []byte) error {
	const header = 16
	if len(data) < header {
		return damagedWebP("its first frame is damaged")
	}
	frame := webpFrame{
		x: int(2 * uint24(data)), y: int(2 * uint24(data[3:])), width: 1 + int(uint24(data[6:])), height: 1 + int(uint24(data[9:])),
	}
	if int64(frame.x+frame.width) > w.canvasWidth || int64(frame.y+frame.height) > w.canvasHeight {
		return damagedWebP("its first frame reaches beyond its canvas")
	}
	var alpha []byte
	for rest := data[header:]; len(rest) > 0; {
		kind, chunk, after, err := nextWebPChunk(rest)
		if err != nil {
			return err
		}
		switch kind := string(kind); kind {
		case "ALPH":
			alpha = chunk
		case "VP8 ", "VP8L":
			width, height, ok := readWebPBitstream(kind, chunk)
			if !ok || width != int64(frame.width) || height != int64(frame.height) {
				return damagedWebP("the image data of its first frame is damaged")
			}
			w.bitstreams++
			frame.chunks = data[header : len(data)-len(after)]
			if err := w.demand(kind, chunk, alpha, width, height); err != nil {
				return err
			}
			after = nil
		}
		rest = after
	}
	w.frame = &frame
	w.width, w.height = int(w.canvasWidth), int(w.canvasHeight)
	w.channels += 3 // the frame, and the canvas
	return nil
}

// demand adds what libwebp takes besides the pixels that it returns, for a bitstream of
// that size with a chunk of transparency, if any. A lossless one is decoded into a buffer of
// its own, four bytes a pixel; the transparency of one with losses can be one, too.
func (w *webp) demand(kind string, data, alpha []byte, width, height int64) error {
	pixels := width * height
	switch {
	case kind == "VP8L":
		const header, hasAlpha = 5, 0x10
		if data[header-1]&hasAlpha != 0 {
			w.channels = 4
		}
		return w.lossless(data[header:], width, height)
	case len(alpha) == 0:
		return nil
	}
	w.channels = 4
	w.fixed += pixels // the plane of transparency
	const losslessAlpha = 1
	if alpha[0]&3 != losslessAlpha {
		return nil
	}
	return w.lossless(alpha[1:], width, height)
}

// lossless adds what libwebp takes for a lossless bitstream behind its header, besides the
// pixels that it returns.
func (w *webp) lossless(data []byte, width, height int64) error {
	need, err := readVP8LDemand(data, int(width), int(height))
	if err != nil {
		return damagedWebP("its image data is damaged, or coded in a way that takes too much memory")
	}
	const rows = 17 // that its transforms are applied to at a time, and one above
	w.fixed += need.bytes() + 4*width*height + 4*rows*width
	return nil
}

// file returns the frame as a file of its own.
func (f *webpFrame) file() []byte {
	const alpha = 0x10
	vp8x := []byte{alpha, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	putUint24(vp8x[4:], f.width-1)
	putUint24(vp8x[7:], f.height-1)
	size := len("WEBP") + len(f.chunks) + len(f.chunks)&1
	plain := string(f.chunks[:4]) != "ALPH"
	if !plain {
		size += 8 + len(vp8x)
	}
	file := make([]byte, 0, 8+size)
	file = binary.LittleEndian.AppendUint32(append(file, "RIFF"...), uint32(size))
	file = append(file, "WEBP"...)
	if !plain {
		file = binary.LittleEndian.AppendUint32(append(file, "VP8X"...), uint32(len(vp8x)))
		file = append(file, vp8x...)
	}
	file = append(file, f.chunks...)
	return append(file, make([]byte, len(f.chunks)&1)...)
}

// readWebPBitstream returns the dimensions in a VP8 or VP8L chunk.
func readWebPBitstream(kind string, data []byte) (width, height int64, ok bool) {
	if kind == "VP8L" {
		return readVP8L(data)
	}
	return readVP8(data)
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

func putUint24(b []byte, v int) { b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16) }
