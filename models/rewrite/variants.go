package rewrite

import (
	"image"
	"math"
	"math/rand/v2"

	"golang.org/x/image/draw"
)

// Variants returns n variants of a picture as RGB tensors of side x side
// pixels, one byte each, to compare models on: random crops, rotated, mirrored,
// brighter and darker, with more and less contrast, blurred and noisy. Equal
// seeds give equal variants.
func Variants(picture image.Image, width, height, n int, seed uint64) [][]byte {
	source := newPlane(picture, 2*max(width, height))
	random := rand.New(rand.NewPCG(seed, 0))
	list := make([][]byte, n)
	for i := range list {
		list[i] = source.variant(width, height, random)
	}
	return list
}

// plane is a picture in memory: RGB, one float a channel.
type plane struct {
	width, height int
	pix           []float32
}

// newPlane reads a picture, made smaller where it is larger than side.
func newPlane(picture image.Image, side int) *plane {
	b := picture.Bounds()
	scale := min(1, float64(side)/float64(min(b.Dx(), b.Dy())))
	w, h := max(1, int(float64(b.Dx())*scale)), max(1, int(float64(b.Dy())*scale))
	rgba := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(rgba, rgba.Bounds(), picture, b, draw.Src, nil)
	p := &plane{width: w, height: h, pix: make([]float32, 3*w*h)}
	for i := range w * h {
		for c := range 3 {
			p.pix[3*i+c] = float32(rgba.Pix[4*i+c])
		}
	}
	return p
}

// at interpolates; beyond the edge lies the edge.
func (p *plane) at(x, y float64, c int) float32 {
	x, y = min(max(x, 0), float64(p.width-1)), min(max(y, 0), float64(p.height-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, p.width-1), min(y0+1, p.height-1)
	fx, fy := float32(x-float64(x0)), float32(y-float64(y0))
	v := func(x, y int) float32 { return p.pix[3*(y*p.width+x)+c] }
	return (v(x0, y0)*(1-fx)+v(x1, y0)*fx)*(1-fy) + (v(x0, y1)*(1-fx)+v(x1, y1)*fx)*fy
}

func (p *plane) variant(width, height int, random *rand.Rand) []byte {
	between := func(low, high float64) float64 { return low + (high-low)*random.Float64() }
	size := float64(min(p.width, p.height)) * between(0.85, 1)
	cx := between(size/2, float64(p.width)-size/2)
	cy := between(size/2, float64(p.height)-size/2)
	sin, cos := math.Sincos(between(-8, 8) * math.Pi / 180)
	mirror := 1.0
	if random.IntN(2) == 1 {
		mirror = -1
	}
	brightness, contrast := float32(between(-20, 20)), float32(between(0.85, 1.15))
	blur, noise := between(0, 2), between(0, 4)

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
