package preprocess

import (
	"bytes"
	"math"

	"edgelens"
)

// header is the result of the checks of an image.
type header struct {
	format string
	// width and height are in pixels, as stored.
	width, height int
	// orientation is the EXIF orientation, 1 (upright) to 8.
	orientation int
	// data is the image's part of the bytes received.
	data []byte
	// fixed is how many bytes decoding takes at most besides the pixels, and channels how
	// many bytes a pixel takes when it is decoded.
	fixed    int64
	channels int64
	// garbage is how many of them Go's collector frees, and not the decoder itself.
	garbage int64

	// dataBytes is how many bytes of deflated data a PNG needs at most.
	dataBytes int64
	// components is how many a JPEG has: 1, 3 or 4.
	components int
	// unterminated is set for a JPEG without its end marker: it is complete only if
	// it decodes without any warning.
	unterminated bool
	// frame is the position of the first frame of an animated WebP in the image, and
	// its chunks; nil if it is no animation.
	frame *webpFrame
}

func (h header) info() edgelens.ImageInfo {
	return edgelens.ImageInfo{Width: h.width, Height: h.height, Format: h.format}
}

// accepted lists the formats for error messages.
const accepted = "JPEG, PNG, WebP, GIF, TIFF or BMP"

// formats are the supported formats, by their magic numbers.
var formats = []struct {
	magic string
	check func(encoded []byte, limits Config) (header, error)
}{
	{"\xFF\xD8\xFF", checkJPEG},
	{pngSignature, checkPNG},
	{"RIFF", checkWebP},
	{"GIF87a", checkGIF},
	{"GIF89a", checkGIF},
	{"II*\x00", checkTIFF},
	{"MM\x00*", checkTIFF},
	{"BM", checkBMP},
}

// inspect checks an encoded image and returns its header. It reads the
// bytes at most a few times, and allocates little memory.
func inspect(encoded []byte, limits Config) (header, error) {
	if len(encoded) == 0 {
		return header{}, refuse(edgelens.ErrNoImage, "image", "it is empty; send a %s file", accepted)
	}
	if int64(len(encoded)) > math.MaxInt32 { // gocv passes the length as a C int
		return header{}, refuse(edgelens.ErrTooLarge, "image", "it is %d bytes; send fewer than 2 GB", len(encoded))
	}
	image := skipPreamble(encoded)
	for _, f := range formats {
		if !bytes.HasPrefix(image, []byte(f.magic)) {
			continue
		}
		h, err := f.check(image, limits)
		if err != nil {
			return header{}, err
		}
		if h.data == nil {
			h.data = image
		}
		h.fixed += int64(len(encoded)) + workspace(h)
		if err := limits.allowMemory(h); err != nil {
			return header{}, err
		}
		return h, nil
	}
	return header{}, unknownFormat(encoded, image)
}
