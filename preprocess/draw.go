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
	default:
		return func(x, y int) bgrColor { return flat(decoded.At(x, y), background) }
	}
}

// flat blends a color over a background.
func flat(c stdcolor.Color, background bgrColor) bgrColor {
	n, _ := stdcolor.NRGBAModel.Convert(c).(stdcolor.NRGBA)
	return bgrColor{over(n.B, background[0], n.A), over(n.G, background[1], n.A), over(n.R, background[2], n.A)}
}
