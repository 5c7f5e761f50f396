package quality_test

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
)

// These loops are not checked for races, which takes ten times their own time: an
// image belongs to one goroutine.

// light is an image in linear light, 1 being white: rgb[c][y*w+x].
type light struct {
	w, h int
	rgb  [3][]float64
}

func newLight(w, h int) light {
	l := light{w: w, h: h}
	for c := range l.rgb {
		l.rgb[c] = make([]float64, w*h)
	}
	return l
}

// linear is of IEC 61966-2-1.
func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

// steps are the light values at which an 8-bit value increases: a
// search among them is faster than a power for every pixel.
var steps = func() (steps [255]float64) {
	for i := range steps {
		steps[i] = linear((float64(i) + 0.5) / 255)
	}
	return steps
}()

// srgb8 is the inverse of linear, rounded to 8 bits.
//
//go:norace
func srgb8(v float64) uint8 {
	from, to := 0, len(steps)
	for from < to {
		if middle := (from + to) / 2; steps[middle] <= v {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return uint8(from)
}

// lightOf reads an image.
//
//go:norace
func lightOf(img image.Image) light {
	b := img.Bounds()
	l := newLight(b.Dx(), b.Dy())
	for y := range l.h {
		for x := range l.w {
			r, g, bl, _ := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
			for c, v := range []uint32{r, g, bl} {
				l.rgb[c][y*l.w+x] = linear(float64(v) / 0xffff)
			}
		}
	}
	return l
}

// image simulates a camera: noise of a deviation in steps of
// 255 at mid-gray, mostly of photons, then sRGB.
//
//go:norace
func (l light) image(r *rand.Rand, noise float64) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, l.w, l.h))
	deviation := noise / 255 / 1.195 // the slope of sRGB at 18 % gray
	for i := range l.w * l.h {
		var p [3]uint8
		for c := range p {
			v := l.rgb[c][i]
			v += r.NormFloat64() * deviation * math.Sqrt(0.7*min(max(v, 0), 1)/0.18+0.3)
			p[c] = srgb8(v)
		}
		img.SetNRGBA(i%l.w, i/l.w, color.NRGBA{R: p[0], G: p[1], B: p[2], A: 255})
	}
	return img
}

// each returns the image with f applied to every value.
//
//go:norace
func (l light) each(f func(c, x, y int, v float64) float64) light {
	out := newLight(l.w, l.h)
	for c := range out.rgb {
		for i, v := range l.rgb[c] {
			out.rgb[c][i] = f(c, i%l.w, i/l.w, v)
		}
	}
	return out
}

// brightest returns, for every pixel, its brightest channel.
//
//go:norace
func (l light) brightest() []float64 {
	out := make([]float64, l.w*l.h)
	for i := range out {
		out[i] = max(l.rgb[0][i], l.rgb[1][i], l.rgb[2][i])
	}
	return out
}

// defocused is the image out of focus by a disk of a radius in pixels, the
// border repeated. Rows of the disk are runs, summed by differences.
//
//go:norace
func (l light) defocused(radius float64) light {
	out := newLight(l.w, l.h)
	n := int(radius)
	sums := make([]float64, l.w+1)
	for c := range l.rgb {
		area := 0.0
		for dy := -n; dy <= n; dy++ {
			half := int(math.Sqrt(radius*radius - float64(dy*dy)))
			area += float64(2*half + 1)
			for y := range l.h {
				row := l.rgb[c][min(max(y+dy, 0), l.h-1)*l.w:][:l.w]
				for x, v := range row {
					sums[x+1] = sums[x] + v
				}
				for x := range l.w {
					from, to := x-half, x+half+1
					sum := sums[min(to, l.w)] - sums[max(from, 0)]
					sum += float64(max(-from, 0))*row[0] + float64(max(to-l.w, 0))*row[l.w-1]
					out.rgb[c][y*l.w+x] += sum
				}
			}
		}
		for i := range out.rgb[c] {
			out.rgb[c][i] /= area
		}
	}
	return out
}
