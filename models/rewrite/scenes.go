package rewrite

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
)

// Scenes returns n synthetic images as RGB tensors of width x height pixels,
// for a check without photographs: smooth skies with colored and
// striped shapes in front, varied as Variants does. They are the same each
// time.
func Scenes(width, height, n int) [][]byte {
	var list [][]byte
	for i := range n {
		list = append(list, Variants(scene(uint64(i)), width, height, 1, Mild, uint64(i))...)
	}
	return list
}

// scene paints one image of 256 x 256 pixels.
func scene(seed uint64) image.Image {
	const side = 256
	random := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	color := func() [3]float64 {
		return [3]float64{255 * random.Float64(), 255 * random.Float64(), 255 * random.Float64()}
	}
	top, bottom := color(), color()
	for y := range side {
		f := float64(y) / side
		for x := range side {
			img.SetRGBA(x, y, mix(top, bottom, f))
		}
	}
	for range 3 + random.IntN(8) {
		paint(img, random, color(), color())
	}
	return img
}

func mix(a, b [3]float64, f float64) color.RGBA {
	channel := func(i int) uint8 { return uint8(a[i]*(1-f) + b[i]*f) }
	return color.RGBA{channel(0), channel(1), channel(2), 255}
}

// paint adds a turned ellipse or box with stripes.
func paint(img *image.RGBA, random *rand.Rand, a, b [3]float64) {
	side := float64(img.Bounds().Dx())
	cx, cy := side*random.Float64(), side*random.Float64()
	rx, ry := side*(0.05+0.3*random.Float64()), side*(0.05+0.3*random.Float64())
	sin, cos := math.Sincos(math.Pi * random.Float64())
	stripes, round := 2+20*random.Float64(), random.IntN(2) == 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			dx, dy := float64(x)-cx, float64(y)-cy
			u, v := (dx*cos+dy*sin)/rx, (dy*cos-dx*sin)/ry
			inside := math.Abs(u) < 1 && math.Abs(v) < 1
			if round {
				inside = u*u+v*v < 1
			}
			if inside {
				img.SetRGBA(x, y, mix(a, b, 0.5+0.5*math.Sin(stripes*u)))
			}
		}
	}
}
