package modeltest

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
)

// The colors of the models' classes.
var (
	Red   = color.RGBA{R: 255, A: 255}
	Green = color.RGBA{G: 255, A: 255}
	Blue  = color.RGBA{B: 255, A: 255}
)

func grayOf(level uint8) color.Color { return color.Gray{Y: level} }

// Image returns a PNG of one color, width by height pixels.
func Image(c color.Color, width, height int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		panic(err) // only a width or height of 0, a mistake in the test
	}
	return out.Bytes()
}
