package preprocess

import (
	"bytes"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/tiff"

	"edgelens"
)

// maxStripShare is how many times as long as the file its strips may be together. They do not
// overlap in files that programs write; in others, a thousand strips that are the same 20 MB
// take minutes to decode.
const maxStripShare = 2

// checkTIFF reads the first directory of a TIFF (TIFF 6.0:
// https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf). The first image of
// a camera's raw file, which is a TIFF, is a thumbnail, or not meant to be displayed.
func checkTIFF(b []byte, limits Config) (header, error) {
	directory, ok := readTIFF(b)
	if !ok {
		return header{}, refuse(edgelens.ErrBadImage, "tiff", "it ends before its directory, so a part is missing; send the whole file")
	}
	kind, _ := directory.whole(tagNewSubfileType)
	if _, isDNG := directory.whole(tagDNGVersion); isDNG || kind&1 != 0 || bytes.HasPrefix(b[8:], []byte("CR")) {
		return header{}, refuse(edgelens.ErrUnsupportedFormat, "tiff", "it seems to be a camera's raw file; save it as JPEG and send that")
	}
	if coding := unreadTIFFCoding(directory); coding != "" {
		return header{}, refuse(edgelens.ErrUnsupportedFormat, "tiff", "its coding is not supported (%s); save it as JPEG or PNG and send that", coding)
	}
	if encoded := directory.sum(tagStripByteCounts) + directory.sum(tagTileByteCounts); encoded > maxStripShare*int64(len(b)) {
		return header{}, refuse(edgelens.ErrBadImage, "tiff", "its strips have %d bytes together, and the file has %d, so they share their data; save it again and send that", encoded, len(b))
	}
	config, err := tiff.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return header{}, tiffError("check", err)
	}
	if err := limits.allow("tiff", int64(config.Width), int64(config.Height)); err != nil {
		return header{}, err
	}
	orientation, _ := directory.whole(tagOrientation)
	if orientation < 1 || orientation > 8 {
		orientation = 1
	}
	garbage := collected(tiffMemory(directory, int64(config.Width), int64(config.Height)))
	return header{
		format: "tiff", width: config.Width, height: config.Height, orientation: int(orientation), channels: 3, fixed: garbage, garbage: garbage,
	}, nil
}

// tiffMemory returns how many bytes the decoder takes for a TIFF of that size besides the
// encoded image: the image, and a strip or tile of it before its pixels are converted, which
// may inflate to eight bytes a pixel whatever the kind of its pixels.
func tiffMemory(d tiffBlock, width, height int64) int64 {
	const longest = 8 // bytes of a pixel
	pixel := max(1, d.wholeOr(tagBitsPerSample, 1)/8)
	if d.wholeOr(tagPhotometric, 0) == tiffRGB {
		pixel *= 4
	}
	across, down := width, height
	if tile := d.wholeOr(tagTileWidth, 0); tile > 0 {
		across, down = tile, d.wholeOr(tagTileLength, 0)
	} else if rows := d.wholeOr(tagRowsPerStrip, 0); rows > 0 {
		down = min(height, rows)
	}
	// Tiles reach beyond the image by less than one; the decoder rejects those that are much larger.
	across, down = min(max(across, 1), width+1024), min(max(down, 1), height+1024)
	blocks := ceilDiv(width, across) * ceilDiv(height, down)
	inflated := longest * across * down
	if compression := d.wholeOr(tagCompression, 1); compression <= 1 {
		inflated = min(inflated, int64(len(d.bytes)))
	}
	// A buffer that grows is copied to one of twice its size; the place and the size of
	// each strip are read twice.
	return pixel*width*height + 3*inflated + 24*blocks
}

// tiffError translates an error of the decoder.
func tiffError(action string, err error) error {
	var unsupported tiff.UnsupportedError
	if errors.As(err, &unsupported) {
		return fmt.Errorf("%s tiff: %w: its coding is rare and not supported; save it as JPEG or PNG and send that", action, edgelens.ErrUnsupportedFormat)
	}
	return fmt.Errorf("%s tiff: %w: its data is damaged, or a part of it is missing; save the image again and send that", action, edgelens.ErrBadImage)
}

// decodeTIFF writes the first image of a TIFF as BGR, over a background: every byte of
// pixels, or it returns an error.
func decodeTIFF(pixels []byte, h header, background bgrColor) error {
	decoded, err := tiff.Decode(bytes.NewReader(h.data))
	if err != nil {
		return tiffError("decode", err)
	}
	if decoded.Bounds() != image.Rect(0, 0, h.width, h.height) {
		return fmt.Errorf("decode tiff: %w: its image has another size than in its directory; save the image again and send that", edgelens.ErrBadImage)
	}
	correctFax(decoded, h.data)
	drawOver(pixels, h.width, decoded, background)
	return nil
}
