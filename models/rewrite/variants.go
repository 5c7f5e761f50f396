package rewrite

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"

	"golang.org/x/image/draw"
)

// Strength is the maximum by which Variants changes an image.
type Strength struct {
	// Crop is the minimum share of the shorter side that is kept, Turn in degrees.
	Crop, Turn float64
	// Brightness is in steps of 255, Contrast a share more or less.
	Brightness, Contrast float64
	// Blur is the radius of a square in pixels of the tensor, Noise the standard
	// deviation in steps of 255.
	Blur  int
	Noise float64
}

// Mild variants are nearly as good as the image; in Strong ones the degradation is
// obvious to a person.
var (
	Mild   = Strength{Crop: 0.85, Turn: 8, Brightness: 20, Contrast: 0.15, Blur: 1, Noise: 4}
	Strong = Strength{Crop: 0.6, Turn: 20, Brightness: 50, Contrast: 0.4, Blur: 2, Noise: 12}
)

// String describes the changes.
func (s Strength) String() string {
	return fmt.Sprintf("cropped to %.0f%% at least, turned by up to %v degrees, mirrored, brighter or darker by up to %v of 255, contrast within %.0f%%, blurred over up to %d pixels, noise of up to %v of 255",
		100*s.Crop, s.Turn, s.Brightness, 100*s.Contrast, 2*s.Blur+1, s.Noise)
}

// Variants returns n variants of an image as RGB tensors of width x height
// pixels, one byte each, to compare models on. Equal seeds give equal variants.
func Variants(image image.Image, width, height, n int, strength Strength, seed uint64) [][]byte {
	source := newPlane(image, 2*max(width, height))
	random := rand.New(rand.NewPCG(seed, 0))
	list := make([][]byte, n)
	for i := range list {
		list[i] = source.variant(width, height, strength, random)
	}
	return list
}

// plane is an image in memory: RGB, one float a channel.
type plane struct {
	width, height int
	pix           []float32
}

// newPlane reads an image, made smaller where it is larger than side.
func newPlane(img image.Image, side int) *plane {
	b := img.Bounds()
	scale := min(1, float64(side)/float64(min(b.Dx(), b.Dy())))
	w, h := max(1, int(float64(b.Dx())*scale)), max(1, int(float64(b.Dy())*scale))
	rgba := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(rgba, rgba.Bounds(), img, b, draw.Src, nil)
	p := &plane{width: w, height: h, pix: make([]float32, 3*w*h)}
	for i := range w * h {
		for c := range 3 {
			p.pix[3*i+c] = float32(rgba.Pix[4*i+c])
		}
	}
	return p
}

// at interpolates; beyond the edge it repeats the edge.
func (p *plane) at(x, y float64, c int) float32 {
	x, y = min(max(x, 0), float64(p.width-1)), min(max(y, 0), float64(p.height-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, p.width-1), min(y0+1, p.height-1)
	fx, fy := float32(x-float64(x0)), float32(y-float64(y0))
	v := func(x, y int) float32 { return p.pix[3*(y*p.width+x)+c] }
	return (v(x0, y0)*(1-fx)+v(x1, y0)*fx)*(1-fy) + (v(x0, y1)*(1-fx)+v(x1, y1)*fx)*fy
}

func (p *plane) variant(width, height int, most Strength, random *rand.Rand) []byte {
	between := func(low, high float64) float64 { return low + (high-low)*random.Float64() }
	size := float64(min(p.width, p.height)) * between(most.Crop, 1)
	cx := between(size/2, float64(p.width)-size/2)
	cy := between(size/2, float64(p.height)-size/2)
	sin, cos := math.Sincos(between(-most.Turn, most.Turn) * math.Pi / 180)
	mirror := 1.0
	if random.IntN(2) == 1 {
		mirror = -1
	}
	brightness, contrast := float32(between(-most.Brightness, most.Brightness)), float32(between(1-most.Contrast, 1+most.Contrast))
	blur, noise := between(0, float64(most.Blur+1)), between(0, most.Noise)

	v := &plane{width: width, height: height, pix: make([]float32, 3*width*height)}
	for y := range height {
		for x := range width {
			u, w := mirror*(float64(x)/float64(width)-0.5)*size, (float64(y)/float64(height)-0.5)*size
			for c := range 3 {
				v.pix[3*(y*width+x)+c] = p.at(cx+u*cos-w*sin, cy+u*sin+w*cos, c)
			}
		}
	}
	v.blur(int(blur))
	tensor := make([]byte, len(v.pix))
	for i, f := range v.pix {
		f = (f-128)*contrast + 128 + brightness + float32(random.NormFloat64()*noise)
		tensor[i] = byte(min(max(f+0.5, 0), 255))
	}
	return tensor
}

// blur averages over a square of 2*radius+1 pixels.
func (p *plane) blur(radius int) {
	if radius < 1 {
		return
	}
	pass := func(dx, dy int) {
		out := make([]float32, len(p.pix))
		for y := range p.height {
			for x := range p.width {
				for c := range 3 {
					sum := float32(0)
					for d := -radius; d <= radius; d++ {
						xx, yy := min(max(x+d*dx, 0), p.width-1), min(max(y+d*dy, 0), p.height-1)
						sum += p.pix[3*(yy*p.width+xx)+c]
					}
					out[3*(y*p.width+x)+c] = sum / float32(2*radius+1)
				}
			}
		}
		p.pix = out
	}
	pass(1, 0)
	pass(0, 1)
}
