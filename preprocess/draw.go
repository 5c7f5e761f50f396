package preprocess

import (
	"image"
	stdcolor "image/color"
)

// fill paints every pixel of a BGR image.
func fill(pixels []byte, background bgrColor) {
	for i := 0; i+3 <= len(pixels); i += 3 {
		copy(pixels[i:], background[:])
	}
}

// drawOver draws an image that a decoder of Go's has made over a background, into the
// BGR pixels of an image of that width: every pixel within its bounds.
func drawOver(pixels []byte, width int, decoded image.Image, background bgrColor) {
	bounds := decoded.Bounds()
	pixelAt := pixelReader(decoded, background)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		row := pixels[3*(y*width+bounds.Min.X):]
		for x := range bounds.Dx() {
			c := pixelAt(bounds.Min.X+x, y)
			copy(row[3*x:3*x+3], c[:])
		}
	}
}

// pixelReader returns a function that reads a pixel of an image over a background.
func pixelReader(decoded image.Image, background bgrColor) func(x, y int) bgrColor {
	switch m := decoded.(type) {
	case *image.Paletted:
		palette := make([]bgrColor, 256) // an index without a color is absent, and Go's decoders reject it
		for i, c := range m.Palette {
			palette[i] = flat(c, background)
		}
		return func(x, y int) bgrColor { return palette[m.ColorIndexAt(x, y)] }
	case *image.Gray:
		return func(x, y int) bgrColor {
			v := m.Pix[m.PixOffset(x, y)]
			return bgrColor{v, v, v}
		}
	case *image.Gray16:
		return func(x, y int) bgrColor {
			v := m.Pix[m.PixOffset(x, y)] // the high byte
			return bgrColor{v, v, v}
		}
	case *image.RGBA:
		return opaqueReader(m.Pix, m.PixOffset, 1, m, background)
	case *image.NRGBA:
		return opaqueReader(m.Pix, m.PixOffset, 1, m, background)
	case *image.RGBA64:
		return opaqueReader(m.Pix, m.PixOffset, 2, m, background)
	case *image.NRGBA64:
		return opaqueReader(m.Pix, m.PixOffset, 2, m, background)
	default:
		return func(x, y int) bgrColor { return flat(decoded.At(x, y), background) }
	}
}

// opaqueReader is pixelReader for pixels of four channels of size bytes each, the high byte
// first. It reads opaque ones itself, which is ten times faster.
func opaqueReader(pixels []byte, offset func(x, y int) int, size int, decoded image.Image, background bgrColor) func(x, y int) bgrColor {
	return func(x, y int) bgrColor {
		p := pixels[offset(x, y):]
		if p[3*size] == 255 && p[4*size-1] == 255 {
			return bgrColor{p[2*size], p[size], p[0]}
		}
		return flat(decoded.At(x, y), background)
	}
}

// flat blends a color over a background.
func flat(c stdcolor.Color, background bgrColor) bgrColor {
	n, _ := stdcolor.NRGBAModel.Convert(c).(stdcolor.NRGBA)
	return bgrColor{over(n.B, background[0], n.A), over(n.G, background[1], n.A), over(n.R, background[2], n.A)}
}
