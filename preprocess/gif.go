package preprocess

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/gif"

	"edgelens"
)

// checkGIF reads the size of the screen (GIF89a, 18:
// https://www.w3.org/Graphics/GIF/spec-gif89a.txt). The first frame of an animation
// is used.
func checkGIF(b []byte, limits Config) (header, error) {
	if len(b) < 13 {
		return header{}, refuse(edgelens.ErrBadImage, "gif", "it ends within its header, so a part is missing; send the whole file")
	}
	width, height := int64(binary.LittleEndian.Uint16(b[6:])), int64(binary.LittleEndian.Uint16(b[8:]))
	if err := limits.allow("gif", width, height); err != nil {
		return header{}, err
	}
	// The frame with an index a pixel, and once more where its rows are interlaced.
	frame := collected(2 * width * height)
	return header{format: "gif", width: int(width), height: int(height), orientation: 1, channels: 3, fixed: frame, garbage: frame}, nil
}

// decodeGIF writes the first frame of a GIF as BGR onto a background: every byte of
// pixels, or it returns an error.
func decodeGIF(pixels []byte, h header, background bgrColor) error {
	frame, err := gif.Decode(bytes.NewReader(h.data))
	if err != nil {
		return fmt.Errorf("decode gif: %w: its data is damaged, or a part of it is missing; save the image again and send that", edgelens.ErrBadImage)
	}
	if !frame.Bounds().In(image.Rect(0, 0, h.width, h.height)) {
		return fmt.Errorf("decode gif: %w: its first frame reaches beyond its size; save the image again and send that", edgelens.ErrBadImage)
	}
	if frame.Bounds() != image.Rect(0, 0, h.width, h.height) {
		fill(pixels, background)
	}
	drawOver(pixels, h.width, frame, background)
	return nil
}
