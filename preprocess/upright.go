package preprocess

import "image"

// UprightSize returns the width and height of an image once its EXIF orientation is
// applied, in pixels. Errors are Inspect's.
func (p *Preprocessor) UprightSize(encoded []byte) (width, height int, err error) {
	h, err := inspect(encoded, p.limits)
	if err != nil {
		return 0, 0, err
	}
	size := turned(image.Pt(h.width, h.height), h.orientation)
	return size.X, size.Y, nil
}
