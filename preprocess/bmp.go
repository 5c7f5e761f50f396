package preprocess

import (
	"encoding/binary"
	"math"

	"edgelens"
)

// BMP compressions (https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapinfoheader).
const (
	bmpRGB       = 0
	bmpBitfields = 3
)

// bmpMasks is where the red, green and blue masks are: behind a header of 40
// bytes, or at the same place within a longer one.
const bmpMasks = 14 + 40

// bmpHeader is what matters here of the two headers of a BMP.
type bmpHeader struct {
	offset, size  int64 // of the pixels in the file; of the second header
	width, height int64 // height is negative where the first row is the top one
	bits          int64
	compression   uint32
}

// checkBMP reads the headers of a BMP: 14 bytes of file header, then one of
// the headers that Windows and OS/2 have defined, told apart by their size.
func checkBMP(b []byte, limits Config) (header, error) {
	bmp, err := readBMPHeader(b)
	if err != nil {
		return header{}, err
	}
	if bmp.height == math.MinInt32 {
		return header{}, refuse(edgelens.ErrBadImage, "bmp", "its height makes no sense; save the picture again and send that")
	}
	if bmp.height < 0 {
		bmp.height = -bmp.height
	}
	if err := limits.allow("bmp", bmp.width, bmp.height); err != nil {
		return header{}, err
	}
	if err := checkBMPCoding(b, bmp); err != nil {
		return header{}, err
	}
	pixels := ceilDiv(bmp.width*bmp.bits, 32) * 4 * bmp.height // rows are padded to 4 bytes
	if bmp.offset < 14+bmp.size || bmp.offset+pixels > int64(len(b)) {
		return header{}, refuse(edgelens.ErrBadImage, "bmp", "it has %d bytes where its %dx%d pixels take %d from byte %d on, so a part is missing; send the whole file", len(b), bmp.width, bmp.height, pixels, bmp.offset)
	}
	return header{format: "bmp", width: int(bmp.width), height: int(bmp.height), orientation: 1}, nil
}

// readBMPHeader reads the headers without judging their values.
func readBMPHeader(b []byte) (bmpHeader, error) {
	truncated := func() error {
		return refuse(edgelens.ErrBadImage, "bmp", "it ends within its header, so a part is missing; send the whole file")
	}
	if len(b) < 18 {
		return bmpHeader{}, truncated()
	}
	bmp := bmpHeader{
		offset: int64(binary.LittleEndian.Uint32(b[10:])),
		size:   int64(binary.LittleEndian.Uint32(b[14:])),
	}
	switch bmp.size {
	case 12, 40, 52, 56, 108, 124:
	default:
		return bmpHeader{}, refuse(edgelens.ErrUnsupportedFormat, "bmp", "its header has %d bytes, which is no kind of BMP that is read; send a JPEG, PNG, WebP or ordinary BMP file", bmp.size)
	}
	if int64(len(b)) < 14+bmp.size {
		return bmpHeader{}, truncated()
	}
	if bmp.size == 12 {
		bmp.width = int64(binary.LittleEndian.Uint16(b[18:]))
		bmp.height = int64(binary.LittleEndian.Uint16(b[20:]))
		bmp.bits = int64(binary.LittleEndian.Uint16(b[24:]))
		return bmp, nil
	}
	bmp.width = int64(int32(binary.LittleEndian.Uint32(b[18:])))
	bmp.height = int64(int32(binary.LittleEndian.Uint32(b[22:])))
	bmp.bits = int64(binary.LittleEndian.Uint16(b[28:]))
	bmp.compression = binary.LittleEndian.Uint32(b[30:])
	return bmp, nil
}

// checkBMPCoding allows what OpenCV reads rightly: plain pixels, and masks
// that say what plain pixels have anyway.
func checkBMPCoding(b []byte, bmp bmpHeader) error {
	switch bmp.bits {
	case 1, 4, 8, 16, 24, 32:
	default:
		return refuse(edgelens.ErrBadImage, "bmp", "it has %d bits a pixel; save the picture with 24 and send that", bmp.bits)
	}
	unsupported := func(what string) error {
		return refuse(edgelens.ErrUnsupportedFormat, "bmp", "%s is not read; save the picture uncompressed with 24 bits a pixel and send that", what)
	}
	if bmp.size == 12 && bmp.bits > 8 && bmp.bits != 24 {
		return unsupported("an OS/2 BMP with 16 or 32 bits a pixel")
	}
	switch bmp.compression {
	case bmpRGB:
		return nil
	case bmpBitfields:
	default:
		return unsupported("a compressed BMP")
	}
	if bmp.bits != 16 && bmp.bits != 32 || bmpMasks+12 > len(b) {
		return refuse(edgelens.ErrBadImage, "bmp", "its colour masks make no sense; save the picture with 24 bits a pixel and send that")
	}
	masks := [3]uint32{
		binary.LittleEndian.Uint32(b[bmpMasks:]),
		binary.LittleEndian.Uint32(b[bmpMasks+4:]),
		binary.LittleEndian.Uint32(b[bmpMasks+8:]),
	}
	switch {
	case bmp.bits == 32 && masks == [3]uint32{0xFF0000, 0xFF00, 0xFF}:
		return nil
	case bmp.bits == 16 && bmp.size == 40 && (masks == [3]uint32{0x7C00, 0x3E0, 0x1F} || masks == [3]uint32{0xF800, 0x7E0, 0x1F}):
		return nil // OpenCV looks for the masks behind the header, so only there
	}
	return unsupported("a BMP with unusual colour masks")
}
