package suite

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// MadeImages returns generated images: JPEGs of 1280x720 and 1920x1080 with shapes and grain, which cost as much to
// decode as photographs of that size. They are the same every time.
func MadeImages() []Image {
	return []Image{{"made_720p.jpg", drawJPEG(1280, 720)}, {"made_1080p.jpg", drawJPEG(1920, 1080)}}
}

// madeQuality is a common JPEG quality.
const madeQuality = 75

func drawJPEG(width, height int) []byte {
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
	_ = jpeg.Encode(&out, image, &jpeg.Options{Quality: madeQuality}) // into memory, of a size that JPEG has
	return out.Bytes()
}

func clamp(v float64) uint8 { return uint8(min(255, max(0, v))) }
