package homeassistant

import (
	"bytes"
	"fmt"
	"image"
	_ "image/gif" // formats of terminals' images
	"image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"edgelens"
)

const (
	// thumbnailType is the media type of a thumbnail.
	thumbnailType = "image/jpeg"
	// thumbnailSide is the maximum width and height of a thumbnail: Home Assistant keeps the last ten of each device in its
	// memory.
	thumbnailSide    = 320
	thumbnailQuality = 80
	// maxThumbnailPixels is the size of the largest image that gets one (4K); decoding it takes at most 12 bytes a pixel.
	maxThumbnailPixels = 9_000_000
)

// Thumbnail returns an encoded image as a small JPEG. Errors: edgelens.ErrTooLarge, edgelens.ErrBadImage.
func Thumbnail(encoded []byte) ([]byte, error) {
	header, _, err := image.DecodeConfig(bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("make a thumbnail: %w: %w", edgelens.ErrBadImage, err)
	}
	if header.Width < 1 || header.Height < 1 || header.Width > maxThumbnailPixels/header.Height {
		return nil, fmt.Errorf("make a thumbnail: %w: it has %d x %d pixels", edgelens.ErrTooLarge, header.Width, header.Height)
	}
	full, _, err := image.Decode(bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("make a thumbnail: %w: %w", edgelens.ErrBadImage, err)
	}
	width, height := header.Width, header.Height
	if longest := max(width, height); longest > thumbnailSide {
		width, height = max(1, width*thumbnailSide/longest), max(1, height*thumbnailSide/longest)
	}
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), full, full.Bounds(), draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: thumbnailQuality}); err != nil {
		return nil, fmt.Errorf("make a thumbnail: %w", err)
	}
	return out.Bytes(), nil
}
