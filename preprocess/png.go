package preprocess

import (
	"encoding/binary"
	"hash/crc32"

	"edgelens"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

const (
	// deflateMaxRatio is the most bytes that one byte of a deflate stream can
	// become: a match of 258 bytes takes at least two bits (RFC 1951, 3.2.5).
	deflateMaxRatio = 1032
	// maxPNGProfiles is how many compressed texts and colour profiles a PNG may
	// have. libpng inflates each of them, up to 8 MB: 200 in a file of 1.6 MB
	// took 13 s of CPU, 8 take a third of a second.
	maxPNGProfiles = 8
)

// checkPNG walks every chunk of a PNG (https://www.w3.org/TR/png-3/, 5.3) up to
// IEND and checks its CRC.
func checkPNG(b []byte, limits Config) (header, error) {
	h := header{format: "png", orientation: 1}
	var rawBytes, dataBytes int64
	var profiles int
	exif := false
	for pos := len(pngSignature); ; {
		kind, data, ok := pngChunk(b, pos)
		if !ok {
			return header{}, refuse(edgelens.ErrBadImage, "png", "it ends before its IEND chunk, so a part is missing; send the whole file")
		}
		if crc32.ChecksumIEEE(b[pos+4:pos+8+len(data)]) != binary.BigEndian.Uint32(b[pos+8+len(data):]) {
			return header{}, refuse(edgelens.ErrBadImage, "png", "its chunk at byte %d is damaged; save the picture again and send that", pos)
		}
		if (pos == len(pngSignature)) != (string(kind) == "IHDR") {
			return header{}, refuse(edgelens.ErrBadImage, "png", "its IHDR chunk is not where it belongs; save the picture again and send that")
		}
		pos += 12 + len(data)
		switch string(kind) {
		case "IHDR":
			var err error
			if rawBytes, err = readIHDR(&h, data, limits); err != nil {
				return header{}, err
			}
		case "IDAT":
			dataBytes += int64(len(data))
		case "acTL":
			return header{}, refuse(edgelens.ErrBadImage, "png", "it is animated; send one frame")
		case "zTXt", "iTXt", "iCCP":
			if string(kind) == "iTXt" && !compressedITXt(data) {
				continue
			}
			if profiles++; profiles > maxPNGProfiles {
				return header{}, refuse(edgelens.ErrBadImage, "png", "it has more than %d compressed texts and colour profiles, the limit; save it without metadata and send that", maxPNGProfiles)
			}
		case "eXIf":
			if !exif {
				exif = true
				h.orientation = exifOrientation(data)
			}
		case "IEND":
			if dataBytes*deflateMaxRatio < rawBytes {
				return header{}, refuse(edgelens.ErrBadImage, "png", "it has %d bytes of picture data, which cannot be a picture of %dx%d pixels; save the picture again and send that", dataBytes, h.width, h.height)
			}
			return h, nil
		}
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

// compressedITXt reads the compression flag behind an iTXt chunk's keyword.
func compressedITXt(data []byte) bool {
	for i, c := range data {
		if c == 0 {
			return i+1 < len(data) && data[i+1] != 0
		}
	}
	return false
}

// pngSamples is how many samples a pixel has by colour type (0 where there is
// no such type), and which bit depths it may have (PNG table 8).
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

// readIHDR reads the dimensions into h and returns how many bytes the picture
// data has once inflated.
func readIHDR(h *header, data []byte, limits Config) (rawBytes int64, err error) {
	if len(data) != 13 {
		return 0, refuse(edgelens.ErrBadImage, "png", "its IHDR chunk has %d bytes, not 13; save the picture again and send that", len(data))
	}
	width, height := int64(binary.BigEndian.Uint32(data)), int64(binary.BigEndian.Uint32(data[4:]))
	if err := limits.allow("png", width, height); err != nil {
		return 0, err
	}
	depth, colour, interlace := data[8], data[9], data[12]
	if int(colour) >= len(pngSamples) || int(depth) >= len(pngSamples[0].depths) || !pngSamples[colour].depths[depth] || data[10] != 0 || data[11] != 0 || interlace > 1 {
		return 0, refuse(edgelens.ErrBadImage, "png", "its IHDR chunk makes no sense (bit depth %d, colour type %d, interlace %d); save the picture again and send that", depth, colour, interlace)
	}
	h.width, h.height = int(width), int(height)
	return pngRawBytes(width, height, pngSamples[colour].samples*int64(depth), interlace == 1), nil
}

// adam7 holds start and step of the columns and rows of each pass of an
// interlaced picture (PNG 8.1).
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
