// Package made generates images that cost as much to decode as photographs of their size. They are the same every time.
package made

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// Quality is a common JPEG quality, that of these images.
const Quality = 75

// JPEG returns a JPEG of that size with shapes and grain.
func JPEG(width, height int) []byte {
	random := rand.New(rand.NewPCG(7, uint64(width)))
	image := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(height), float64(y)/float64(height)
			shape := math.Sin(9*u+4*math.Sin(6*v)) + math.Sin(23*v+3*math.Cos(11*u))
			grain := 6 * random.NormFloat64() * (1 + math.Sin(5*u*v))
			level := 128 + 45*shape + grain
			image.SetRGBA(x, y, color.RGBA{clamp(level), clamp(level*0.8 + 30*u), clamp(230 - level + 20*v), 255})
		}
	}
	var out bytes.Buffer
	_ = jpeg.Encode(&out, image, &jpeg.Options{Quality: Quality}) // into memory, of a size that JPEG has
	return out.Bytes()
}

func clamp(v float64) uint8 { return uint8(min(255, max(0, v))) }
