package preprocess

import (
	"fmt"
	"image"
)

// Tags of how a TIFF is coded (TIFF 6.0, sections 8, 10, 11, 14, 18 and 19).
const (
	tagBitsPerSample   = 0x0102
	tagCompression     = 0x0103
	tagPhotometric     = 0x0106
	tagFillOrder       = 0x010A
	tagSamplesPerPixel = 0x0115
	tagRowsPerStrip    = 0x0116
	tagStripByteCounts = 0x0117
	tagPlanar          = 0x011C
	tagT4Options       = 0x0124
	tagT6Options       = 0x0125
	tagPredictor       = 0x013D
	tagTileWidth       = 0x0142
	tagTileLength      = 0x0143
	tagTileByteCounts  = 0x0145
	tagExtraSamples    = 0x0152
	tagSampleFormat    = 0x0153
)

// Values of those tags.
const (
	tiffRGB             = 2 // Photometric
	tiffLowFirst        = 2 // FillOrder
	tiffGroup3          = 3 // Compression
	tiffGroup4          = 4
	tiffSeparatePlanes  = 2 // PlanarConfiguration
	tiffDifferences     = 2 // Predictor
	tiffUnsigned        = 1 // SampleFormat
	tiffUncompressed    = 2 // a bit of T6Options
	tiffAssociatedAlpha = 1 // ExtraSamples
	tiffAlpha           = 2
)

// The supported compressions, and the names of others.
var (
	tiffCompressions = map[int64]string{
		1: "none", tiffGroup3: "CCITT Group 3", tiffGroup4: "CCITT Group 4", 5: "LZW", 8: "Deflate", 32946: "old Deflate", 32773: "PackBits",
	}
	tiffOtherCompressions = map[int64]string{
		2: "CCITT modified Huffman", 6: "old JPEG", 7: "JPEG", 9: "JBIG", 10: "JBIG", 33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000",
		34661: "JBIG", 34676: "SGI LogLuv", 34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
	}
	tiffColors      = map[int64]string{0: "white is zero", 1: "black is zero", 2: "RGB", 3: "palette"}
	tiffOtherColors = map[int64]string{4: "transparency mask", 5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "color filter array"}
)

// unreadTIFFCoding names the part of a TIFF's coding that is not supported, or is "".
// That includes what the decoder would ignore, and so decode wrongly.
func unreadTIFFCoding(d tiffBlock) string {
	compression := d.wholeOr(tagCompression, 1)
	if compression == 0 { // written by programs that mean none
		compression = 1
	}
	if _, read := tiffCompressions[compression]; !read {
		return "the compression " + nameOr(tiffOtherCompressions, compression)
	}
	color := d.wholeOr(tagPhotometric, 0)
	if _, read := tiffColors[color]; !read {
		return "the color model " + nameOr(tiffOtherColors, color)
	}
	if reason := unreadTIFFSamples(d, color); reason != "" {
		return reason
	}
	fax := isFax(compression)
	predictor, bits := d.wholeOr(tagPredictor, 1), d.wholeOr(tagBitsPerSample, 1)
	switch {
	case fax && (bits != 1 || color > 1):
		return fmt.Sprintf("%s with more than black and white", tiffCompressions[compression])
	case compression == tiffGroup3 && d.wholeOr(tagT4Options, 0) != 0:
		return "CCITT Group 3 in two dimensions, with uncompressed parts or with fill bits"
	case compression == tiffGroup4 && d.wholeOr(tagT6Options, 0)&tiffUncompressed != 0:
		return "CCITT Group 4 with uncompressed parts"
	case !fax && d.wholeOr(tagFillOrder, 1) == tiffLowFirst:
		return "bytes with their lowest bit first"
	case predictor > tiffDifferences:
		return fmt.Sprintf("the predictor %d", predictor)
	case predictor == tiffDifferences && (bits == 1 || tiffCompressions[compression] != "LZW" && compression != 8 && compression != 32946):
		return "a predictor with this compression"
	}
	return ""
}

// unreadTIFFSamples is unreadTIFFCoding of the channels.
func unreadTIFFSamples(d tiffBlock, color int64) string {
	stated, bits := max(d.count(tagBitsPerSample), 1), d.wholeOr(tagBitsPerSample, 1)
	samples := d.wholeOr(tagSamplesPerPixel, stated)
	extra := d.wholeOr(tagExtraSamples, 0)
	switch {
	case d.wholeOr(tagSampleFormat, tiffUnsigned) != tiffUnsigned:
		return "channels of signed or real numbers"
	case bits != 1 && bits != 8 && bits != 16:
		return fmt.Sprintf("%d bits per channel", bits)
	case samples != stated:
		return fmt.Sprintf("%d channels with the bits of %d", samples, stated)
	case samples > 1 && d.wholeOr(tagPlanar, 1) == tiffSeparatePlanes:
		return "a plane for each channel"
	case color != 2 && samples != 1:
		return fmt.Sprintf("%s with %d channels", tiffColors[color], samples)
	case color == 2 && bits == 1:
		return "RGB with 1 bit per channel"
	case color == 2 && samples == 4 && extra != tiffAssociatedAlpha && extra != tiffAlpha:
		return "RGB with a fourth channel that is not declared as transparency (ExtraSamples)"
	case color == 2 && samples != 3 && samples != 4:
		return fmt.Sprintf("RGB with %d channels", samples)
	}
	return ""
}

func isFax(compression int64) bool { return compression == tiffGroup3 || compression == tiffGroup4 }

func nameOr(names map[int64]string, number int64) string {
	if name, ok := names[number]; ok {
		return name
	}
	return fmt.Sprint(number)
}

// wholeOr is whole with a default.
func (t tiffBlock) wholeOr(tag uint16, missing int64) int64 {
	if value, ok := t.whole(tag); ok {
		return value
	}
	return missing
}

// count returns how many values a tag has.
func (t tiffBlock) count(tag uint16) int64 {
	for rest := t.entries; len(rest) >= 12; rest = rest[12:] {
		if t.order.Uint16(rest) == tag {
			return int64(t.order.Uint32(rest[4:]))
		}
	}
	return 0
}

// correctFax inverts an image that the decoder returned as its negative: CCITT codes
// white as 0, which is black if the directory defines black as zero; the decoder
// always returns it as white.
func correctFax(decoded image.Image, file []byte) {
	directory, ok := readTIFF(file)
	if !ok || !isFax(directory.wholeOr(tagCompression, 1)) || directory.wholeOr(tagPhotometric, 0) == 0 {
		return
	}
	if gray, ok := decoded.(*image.Gray); ok { // others are rejected
		for i := range gray.Pix {
			gray.Pix[i] ^= 0xFF
		}
	}
}
