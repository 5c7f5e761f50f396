package preprocess

import (
	"encoding/binary"
	"math"
	"math/bits"

	"edgelens"
)

// BMP compressions (https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapinfoheader;
// of OS/2 2: OS/2 2.0 Technical Library, Presentation Manager Programming Reference, BITMAPINFOHEADER2).
const (
	bmpRGB            = 0
	bmpRLE8           = 1
	bmpRLE4           = 2
	bmpBitfields      = 3
	os2Huffman        = 3 // one bit a pixel
	bmpJPEG           = 4
	os2RLE24          = 4
	bmpPNG            = 5
	bmpAlphaBitfields = 6
)

// The sizes of the second header.
const (
	bmpFileHeader = 14
	os2Header     = 12 // OS/2 1, BITMAPCOREHEADER
	os2ShortInfo  = 16 // OS/2 2, which may end behind any field
	bmpInfoHeader = 40
	os2InfoHeader = 64
	bmpV2Header   = 52
	bmpV3Header   = 56
	bmpV4Header   = 108
	bmpV5Header   = 124
)

// bmpHeader holds the relevant fields of the two headers of a BMP.
type bmpHeader struct {
	offset, size  int64 // of the pixels in the file; of the second header
	width, height int64
	topDown       bool
	bits          int64
	compression   uint32
	os2           bool // of OS/2 2
	// masks are those of blue, green, red and alpha in a pixel of 16 or 32 bits;
	// 0 for no alpha.
	masks [4]uint32
	// palette is the part of the colors that is present, entry bytes each, blue first.
	palette []byte
	entry   int
}

// runLength reports whether the pixels are run-length coded.
func (h bmpHeader) runLength() bool {
	return h.compression == bmpRLE8 || h.compression == bmpRLE4 || h.os2 && h.compression == os2RLE24
}

// stride is how many bytes a row takes: rows are padded to four bytes.
func (h bmpHeader) stride() int64 { return ceilDiv(h.width*h.bits, 32) * 4 }

// checkBMP reads the headers of a BMP: 14 bytes of file header, then one of the
// headers that Windows and OS/2 have defined, distinguished by their size.
func checkBMP(b []byte, limits Config) (header, error) {
	h, err := readBMP(b)
	if err != nil {
		return header{}, err
	}
	if err := limits.allow("bmp", h.width, h.height); err != nil {
		return header{}, err
	}
	if pixels := h.stride() * h.height; !h.runLength() && h.offset+pixels > int64(len(b)) {
		return header{}, refuse(edgelens.ErrBadImage, "bmp", "it has %d bytes where its %dx%d pixels take %d from byte %d on, so a part is missing; send the whole file", len(b), h.width, h.height, pixels, h.offset)
	}
	channels := int64(3)
	if h.masks[3] != 0 {
		channels = 4
	}
	return header{format: "bmp", width: int(h.width), height: int(h.height), orientation: 1, channels: channels}, nil
}

// readBMP reads everything in front of the pixels and rejects unsupported files.
// It does not check whether the pixels are present.
func readBMP(b []byte) (bmpHeader, error) {
	if len(b) < bmpFileHeader+4 {
		return bmpHeader{}, truncatedBMP()
	}
	h := bmpHeader{offset: int64(binary.LittleEndian.Uint32(b[10:])), size: int64(binary.LittleEndian.Uint32(b[14:]))}
	switch h.size {
	case os2Header, bmpInfoHeader, bmpV2Header, bmpV3Header, bmpV4Header, bmpV5Header:
	default:
		if h.size < os2ShortInfo || h.size > os2InfoHeader {
			return bmpHeader{}, refuse(edgelens.ErrUnsupportedFormat, "bmp", "its header has %d bytes, which is no supported kind of BMP; send a %s file", h.size, accepted)
		}
		h.os2 = true
	}
	if int64(len(b)) < bmpFileHeader+h.size {
		return bmpHeader{}, truncatedBMP()
	}
	if err := h.readDimensions(b[bmpFileHeader:]); err != nil {
		return bmpHeader{}, err
	}
	after, err := h.readMasks(b)
	if err != nil {
		return bmpHeader{}, err
	}
	return h, h.readPalette(b, after)
}

func truncatedBMP() error {
	return refuse(edgelens.ErrBadImage, "bmp", "it ends within its header, so a part is missing; send the whole file")
}

func unsupportedBMP(what string) error {
	return refuse(edgelens.ErrUnsupportedFormat, "bmp", "%s is not supported; save the image uncompressed with 24 bits a pixel and send that", what)
}

// readDimensions reads the second header up to the compression.
func (h *bmpHeader) readDimensions(b []byte) error {
	if h.size == os2Header {
		h.width = int64(binary.LittleEndian.Uint16(b[4:]))
		h.height = int64(binary.LittleEndian.Uint16(b[6:]))
		h.bits = int64(binary.LittleEndian.Uint16(b[10:]))
	} else {
		h.width = int64(int32(binary.LittleEndian.Uint32(b[4:])))
		h.height = int64(int32(binary.LittleEndian.Uint32(b[8:])))
		h.bits = int64(binary.LittleEndian.Uint16(b[14:]))
		if h.size >= os2ShortInfo+4 {
			h.compression = binary.LittleEndian.Uint32(b[16:])
		}
	}
	if h.height == math.MinInt32 {
		return refuse(edgelens.ErrBadImage, "bmp", "its height is invalid; save the image again and send that")
	}
	if h.height < 0 {
		h.height, h.topDown = -h.height, true
	}
	return h.checkCoding()
}

// checkCoding rejects combinations of bits and compression that do not exist or
// are not supported.
func (h *bmpHeader) checkCoding() error {
	wrong := func() error {
		return refuse(edgelens.ErrBadImage, "bmp", "its compression %d does not go with %d bits a pixel; save the image with 24 and send that", h.compression, h.bits)
	}
	switch h.bits {
	case 1, 2, 4, 8, 24:
	case 16, 32:
		if h.size == os2Header || h.os2 {
			return unsupportedBMP("an OS/2 BMP with 16 or 32 bits a pixel")
		}
	default:
		return refuse(edgelens.ErrBadImage, "bmp", "it has %d bits a pixel; save the image with 24 and send that", h.bits)
	}
	switch {
	case h.compression == bmpRGB:
		return nil
	case h.os2 && h.compression == os2Huffman:
		return unsupportedBMP("an OS/2 BMP with Huffman coding")
	case h.runLength():
		want := map[uint32]int64{bmpRLE8: 8, bmpRLE4: 4, os2RLE24: 24}[h.compression]
		if h.bits != want || h.topDown {
			return wrong()
		}
		return nil
	case h.compression == bmpJPEG, h.compression == bmpPNG:
		return unsupportedBMP("a compressed BMP")
	case h.compression == bmpBitfields, h.compression == bmpAlphaBitfields:
		if h.bits != 16 && h.bits != 32 {
			return wrong()
		}
		return nil
	}
	return unsupportedBMP("a compressed BMP")
}

// readMasks finds the position of each color in a pixel of 16 or 32 bits: in a longer
// header, or after one of 40 bytes, or the standard position. It returns the offset
// after the masks.
func (h *bmpHeader) readMasks(b []byte) (after int64, err error) {
	after = bmpFileHeader + h.size
	switch {
	case h.bits != 16 && h.bits != 32:
		return after, nil
	case h.compression == bmpRGB && h.bits == 16:
		h.masks = [4]uint32{0x1F, 0x3E0, 0x7C00, 0}
		return after, nil
	case h.compression == bmpRGB:
		h.masks = [4]uint32{0xFF, 0xFF00, 0xFF0000, 0}
		return after, nil
	}
	count := 3
	if h.compression == bmpAlphaBitfields || h.size >= bmpV3Header {
		count = 4
	}
	const at = bmpFileHeader + bmpInfoHeader
	if len(b) < at+4*count {
		return 0, truncatedBMP()
	}
	fileOrder := [4]int{2, 1, 0, 3} // red comes first
	for i, to := range fileOrder[:count] {
		h.masks[to] = binary.LittleEndian.Uint32(b[at+4*i:])
	}
	if h.size == bmpInfoHeader {
		after += int64(4 * count)
	}
	return after, h.checkMasks()
}

// checkMasks rejects masks with gaps, that overlap, or that a pixel has no bits for.
func (h *bmpHeader) checkMasks() error {
	var all uint32
	for i, mask := range h.masks {
		run := mask >> (bits.TrailingZeros32(mask) & 31)
		if mask == 0 && i < 3 || run&(run+1) != 0 || all&mask != 0 || h.bits == 16 && mask>>16 != 0 {
			return refuse(edgelens.ErrBadImage, "bmp", "its color masks are invalid; save the image with 24 bits a pixel and send that")
		}
		all |= mask
	}
	return nil
}

// readPalette finds the colors, which end where the pixels begin at the latest.
func (h *bmpHeader) readPalette(b []byte, at int64) error {
	if h.offset < at || h.offset > int64(len(b)) {
		return refuse(edgelens.ErrBadImage, "bmp", "its header places the pixels at byte %d of %d, which is impossible; send the whole file", h.offset, len(b))
	}
	if h.bits > 8 {
		return nil
	}
	if h.entry = 4; h.size == os2Header {
		h.entry = 3
	}
	colors := int64(1) << h.bits
	const used = bmpFileHeader + 32 // where the number of colors is
	if h.size >= 36 {
		if n := int64(binary.LittleEndian.Uint32(b[used:])); n > 0 {
			colors = min(colors, n)
		}
	}
	colors = min(colors, (h.offset-at)/int64(h.entry))
	h.palette = b[at : at+colors*int64(h.entry)]
	return nil
}
