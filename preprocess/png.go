package preprocess

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"edgelens"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// deflateMaxRatio is the maximum number of bytes that one byte of a deflate stream
// can become: a match of 258 bytes takes at least two bits (RFC 1951, 3.2.5).
const deflateMaxRatio = 1032

// deflateSlack is how many more bytes than twice those of the image its deflated data may have.
// Encoders that compress nothing add five bytes to each block, but a stream can have
// millions of blocks without data, each of which takes time.
const deflateSlack = 64 << 10

// maxPNGTexts limits how many texts are searched for an orientation.
const maxPNGTexts = 16

// pngWalk is the state of a PNG while its chunks are walked.
type pngWalk struct {
	header
	found orientations
	// rawBytes is the size of the inflated image data, idatBytes that of the deflated.
	rawBytes, idatBytes int64
	texts               int
	// others reports that it has chunks that determine no pixels.
	others bool
}

// checkPNG walks every chunk of a PNG (https://www.w3.org/TR/png-3/, 5.3) up to
// IEND and checks the checksum of those that determine pixels. Ancillary chunks may be
// damaged, and the end after the image data may be missing. Of an animation, the
// image for programs that do not support animations is used.
func checkPNG(b []byte, limits Config) (header, error) {
	w := pngWalk{header: header{format: "png"}}
	truncated := func() (header, error) {
		return header{}, refuse(edgelens.ErrBadImage, "png", "it ends before its image data does, so a part is missing; send the whole file")
	}
	for pos := len(pngSignature); ; {
		kind, data, ok := pngChunk(b, pos)
		if !ok && w.idatBytes == 0 {
			return truncated()
		}
		if !ok && bytes.HasPrefix(b[min(pos+4, len(b)):], []byte("IDAT")) {
			return truncated()
		}
		if ok && (pos == len(pngSignature)) != (string(kind) == "IHDR") {
			return header{}, refuse(edgelens.ErrBadImage, "png", "its IHDR chunk is misplaced; save the image again and send that")
		}
		if !ok || string(kind) == "IEND" {
			return w.finish(len(b))
		}
		w.others = w.others || !isPNGData(string(kind))
		if crc32.ChecksumIEEE(b[pos+4:pos+8+len(data)]) != binary.BigEndian.Uint32(b[pos+8+len(data):]) {
			if decidesPixels(kind) {
				return header{}, refuse(edgelens.ErrBadImage, "png", "its chunk at byte %d is damaged; save the image again and send that", pos)
			}
		} else if err := w.chunk(kind, data, limits); err != nil {
			return header{}, err
		}
		pos += 12 + len(data)
	}
}

// decidesPixels is true for critical chunks, whose type begins with a capital
// letter (PNG 5.4), and for transparency.
func decidesPixels(kind []byte) bool { return kind[0]&0x20 == 0 || string(kind) == "tRNS" }

// isPNGData is true for the chunks that pngData keeps.
func isPNGData(kind string) bool {
	return kind == "IHDR" || kind == "PLTE" || kind == "tRNS" || kind == "IDAT"
}

// chunk processes one whole chunk.
func (w *pngWalk) chunk(kind, data []byte, limits Config) (err error) {
	switch string(kind) {
	case "IHDR":
		w.rawBytes, err = readIHDR(&w.header, data, limits)
		return err
	case "IDAT":
		w.idatBytes += int64(len(data))
	case "PLTE", "IEND":
	case "tRNS":
		w.channels = 4
	case "eXIf":
		w.found.exif = first(w.found.exif, exifOrientation(data))
	case "tEXt", "zTXt", "iTXt":
		if w.texts++; w.texts <= maxPNGTexts {
			w.found.textOrientation(string(kind), data)
		}
	default:
		if decidesPixels(kind) {
			return refuse(edgelens.ErrUnsupportedFormat, "png", "it has a chunk of type %q, which is not known and decides what it looks like; save the image again and send that", kind)
		}
	}
	return nil
}

// finish checks the image as a whole at its end; size is that of the file.
func (w *pngWalk) finish(size int) (header, error) {
	if w.idatBytes*deflateMaxRatio < w.rawBytes {
		return header{}, refuse(edgelens.ErrBadImage, "png", "it has %d bytes of image data, which cannot be an image of %dx%d pixels; save the image again and send that", w.idatBytes, w.width, w.height)
	}
	w.dataBytes = 2*w.rawBytes + deflateSlack
	w.orientation = w.found.upright()
	w.fixed = w.found.memory()
	if w.others { // pngData copies the rest
		w.garbage = collected(int64(size))
		w.fixed += w.garbage
	}
	return w.header, nil
}

// pngData returns a PNG that checkPNG has passed without the chunks that determine no
// pixels, so that libpng does not see them: it would inflate every text and color
// profile. It is cut off after that many bytes of image data.
func pngData(b []byte, most int64) []byte {
	var clean []byte
	start := 0 // of the bytes to keep that are not copied yet
	until := func(end int) []byte {
		if clean == nil {
			return b[:end]
		}
		return append(clean, b[start:end]...)
	}
	for pos := len(pngSignature); ; {
		kind, data, ok := pngChunk(b, pos)
		if !ok || string(kind) == "IEND" {
			return until(pos)
		}
		if string(kind) == "IDAT" {
			if int64(len(data)) > most {
				return until(pos + 8 + int(most))
			}
			most -= int64(len(data))
		}
		end := pos + 12 + len(data)
		if !isPNGData(string(kind)) {
			if clean == nil {
				clean = make([]byte, 0, len(b))
			}
			clean = append(clean, b[start:pos]...)
			start = end
		}
		pos = end
	}
}

// pngChunk returns type and data of the chunk at pos; length field and CRC are
// inside b, too.
func pngChunk(b []byte, pos int) (kind, data []byte, ok bool) {
	if len(b)-pos < 12 {
		return nil, nil, false
	}
	length := int64(binary.BigEndian.Uint32(b[pos:]))
	if length > int64(len(b)-pos-12) {
		return nil, nil, false
	}
	return b[pos+4 : pos+8], b[pos+8 : pos+8+int(length)], true
}

// pngSamples is how many samples a pixel has by color type (0 for an invalid
// type), and which bit depths it may have (PNG table 8).
var pngSamples = [7]struct {
	samples int64
	depths  [17]bool
}{
	0: {1, [17]bool{1: true, 2: true, 4: true, 8: true, 16: true}}, // gray
	2: {3, [17]bool{8: true, 16: true}},                            // RGB
	3: {1, [17]bool{1: true, 2: true, 4: true, 8: true}},           // palette
	4: {2, [17]bool{8: true, 16: true}},                            // gray and alpha
	6: {4, [17]bool{8: true, 16: true}},                            // RGB and alpha
}

// readIHDR reads the dimensions into h and returns how many bytes the image
// data has once inflated.
func readIHDR(h *header, data []byte, limits Config) (rawBytes int64, err error) {
	if len(data) != 13 {
		return 0, refuse(edgelens.ErrBadImage, "png", "its IHDR chunk has %d bytes, not 13; save the image again and send that", len(data))
	}
	width, height := int64(binary.BigEndian.Uint32(data)), int64(binary.BigEndian.Uint32(data[4:]))
	if err := limits.allow("png", width, height); err != nil {
		return 0, err
	}
	depth, color, interlace := data[8], data[9], data[12]
	if int(color) >= len(pngSamples) || int(depth) >= len(pngSamples[0].depths) || !pngSamples[color].depths[depth] || data[10] != 0 || data[11] != 0 || interlace > 1 {
		return 0, refuse(edgelens.ErrBadImage, "png", "its IHDR chunk is invalid (bit depth %d, color type %d, interlace %d); save the image again and send that", depth, color, interlace)
	}
	h.width, h.height = int(width), int(height)
	h.channels = 3
	if color == 4 || color == 6 {
		h.channels = 4
	}
	return pngRawBytes(width, height, pngSamples[color].samples*int64(depth), interlace == 1), nil
}

// adam7 holds start and step of the columns and rows of each pass of an
// interlaced image (PNG 8.1).
var adam7 = [7]struct{ x, y, dx, dy int64 }{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

// pngRawBytes returns the size of the filtered rows: each is a filter byte and
// its pixels, in whole bytes (PNG 7.2).
func pngRawBytes(width, height, bits int64, interlaced bool) int64 {
	if !interlaced {
		return height * (1 + ceilDiv(width*bits, 8))
	}
	var total int64
	for _, p := range adam7 {
		if width > p.x && height > p.y {
			w, h := ceilDiv(width-p.x, p.dx), ceilDiv(height-p.y, p.dy)
			total += h * (1 + ceilDiv(w*bits, 8))
		}
	}
	return total
}
