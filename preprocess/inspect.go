package preprocess

import (
	"bytes"
	"math"

	"edgelens"
)

// header is what the checks learn about a picture.
type header struct {
	format string
	// width and height are in pixels, as stored.
	width, height int
	// orientation is the EXIF orientation, 1 (upright) to 8.
	orientation int
	// components is how many a JPEG has: 1, 3 or 4.
	components int
}

func (h header) info() edgelens.ImageInfo {
	return edgelens.ImageInfo{Width: h.width, Height: h.height, Format: h.format}
}

// formats are the allowed formats. OpenCV picks its decoder by the same
// magic numbers, so a file that passes here reaches the decoder meant.
var formats = []struct {
	magic []byte
	check func(encoded []byte, limits Config) (header, error)
}{
	{[]byte("\xFF\xD8\xFF"), checkJPEG},
	{[]byte(pngSignature), checkPNG},
	{[]byte("RIFF"), checkWebP},
	{[]byte("BM"), checkBMP},
}

// inspect checks an encoded picture and returns what its header says. It reads
// the bytes at most a few times and allocates nothing but the error.
func inspect(encoded []byte, limits Config) (header, error) {
	if len(encoded) == 0 {
		return header{}, refuse(edgelens.ErrNoImage, "image", "it is empty; send a JPEG, PNG, WebP or BMP file")
	}
	if int64(len(encoded)) > math.MaxInt32 { // gocv passes the length as a C int
		return header{}, refuse(edgelens.ErrTooLarge, "image", "it is %d bytes; send fewer than 2 GB", len(encoded))
	}
	for _, f := range formats {
		if bytes.HasPrefix(encoded, f.magic) {
			return f.check(encoded, limits)
		}
	}
	return header{}, unknownFormat(encoded)
}
