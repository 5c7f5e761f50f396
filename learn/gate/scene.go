package gate

import (
	"math"
	"math/rand/v2"
)

// scene draws one image of a site.
type scene struct {
	*canvas
	*site
	random *rand.Rand
}

func (s *scene) between(low, high float64) float64 { return low + (high-low)*s.random.Float64() }

// background draws all behind the gate.
func (s *scene) background(cloudy bool) {
	sky, low := rgb{0.42, 0.62, 0.88}, rgb{0.78, 0.86, 0.93}
	if cloudy {
		sky, low = rgb{0.6, 0.63, 0.67}, rgb{0.72, 0.74, 0.76}
	}
	const bands = 24
	for i := range bands {
		top := -0.3 + float64(i)*(s.horizon+0.3)/bands
		s.box(sky.blend(low, float32(i)/bands), 1, -0.5, top, 2, top+0.1)
	}
	for range s.random.IntN(6) {
		s.ellipse(rgb{0.95, 0.95, 0.96}, 0.3, point{s.between(0, 1.33), s.between(-0.05, s.horizon-0.1)}, s.between(0.08, 0.25), s.between(0.02, 0.05))
	}
	s.box(s.meadow, 1, -0.5, s.horizon, 2, 1.5)
	s.textured(s.random, s.horizon, 1.05, 0.12, 150)
	for _, t := range s.trees {
		s.tree(t)
	}
	s.houseFront()
	middle := (s.left + s.right) / 2
	width := s.right - s.left
	s.convex(s.drive, 1, point{middle - 0.12*width, s.horizon + 0.02}, point{middle + 0.12*width, s.horizon + 0.02}, point{s.right, s.ground}, point{s.left, s.ground})
	s.convex(s.drive, 1, point{s.left, s.ground}, point{s.right, s.ground}, point{s.right + 0.3, 1.3}, point{s.left - 0.3, 1.3})
	s.textured(s.random, s.ground, 1.05, 0.08, 60)
}

func (s *scene) tree(at point) {
	size := 0.08 + 0.5*(at.y-s.horizon+0.12)
	s.box(rgb{0.25, 0.18, 0.12}, 1, at.x-0.1*size, at.y, at.x+0.1*size, at.y+0.9*size)
	for range 12 {
		green := rgb{0.14, 0.3, 0.1}.times(float32(s.between(0.6, 1.4)))
		s.ellipse(green, 0.85, point{at.x + s.between(-0.6, 0.6)*size, at.y + s.between(-0.9, 0.2)*size}, 0.45*size, 0.4*size)
	}
}

func (s *scene) houseFront() {
	left, right := s.house, s.house+s.houseSize
	base, eaves := s.horizon+0.06, s.horizon-0.14
	s.box(s.wall, 1, left, eaves, right, base)
	s.convex(s.roof, 1, point{left - 0.03, eaves}, point{right + 0.03, eaves}, point{(left + right) / 2, eaves - 0.14})
	for i := range 3 {
		x := left + (float64(i)+0.5)*s.houseSize/3
		s.box(rgb{0.18, 0.2, 0.24}, 1, x-0.025, eaves+0.04, x+0.025, eaves+0.11)
	}
}

// surroundings draws the fence on both sides, and the posts.
func (s *scene) surroundings() {
	top := s.ground - 0.8*s.height
	for _, part := range [][2]float64{{-0.6, s.left}, {s.right, 2}} {
		if s.fenceSolid {
			s.box(s.fence, 1, part[0], top, part[1], s.ground)
			s.box(s.fence.times(0.7), 1, part[0], top, part[1], top+0.015)
			continue
		}
		for x := part[0]; x < part[1]; x += 0.04 {
			s.box(s.fence, 1, x, top, x+0.012, s.ground)
		}
		s.box(s.fence, 1, part[0], top+0.03, part[1], top+0.045)
		s.box(s.fence, 1, part[0], s.ground-0.05, part[1], s.ground-0.035)
	}
	for _, x := range []float64{s.left, s.right} {
		s.box(s.post, 1, x-0.022, s.ground-s.height-0.04, x+0.022, s.ground)
		s.box(s.post.times(0.75), 1, x+0.006, s.ground-s.height-0.04, x+0.022, s.ground)
	}
}

// leaf draws a leaf of a gate between a fixed side and a free one, with vertical bars or horizontal ones. It is a trapezoid,
// as the free side of an open leaf is further away, or nearer.
func (s *scene) leaf(fixed, free, freeTop, freeBottom float64, vertical bool) {
	top, bottom := s.ground-s.height, s.ground-0.012
	along := func(x, y float64) point { // x and y from 0 to 1 within the leaf
		upper, lower := top+x*(freeTop-top), bottom+x*(freeBottom-bottom)
		return point{fixed + x*(free-fixed), upper + y*(lower-upper)}
	}
	shade := s.gate.times(float32(s.between(0.9, 1.1)))
	const thick = 0.011
	if vertical {
		for i := range s.bars + 1 {
			x := float64(i) / float64(s.bars)
			s.line(shade, 1, along(x, 0), along(x, 1), thick*(0.4+0.6*math.Abs(free-fixed)/(s.right-s.left)*2))
		}
		for _, y := range []float64{0.08, 0.55, 0.95} {
			s.line(shade, 1, along(0, y), along(1, y), thick)
		}
		return
	}
	for i := range 5 {
		s.line(shade, 1, along(0, float64(i)/4), along(1, float64(i)/4), 1.4*thick)
	}
	for _, x := range []float64{0, 1} {
		s.line(shade, 1, along(x, 0), along(x, 1), 1.4*thick)
	}
	s.line(shade, 1, along(0, 1), along(1, 0), thick)
}

// draw draws the gate, open by a share from 0 to 1.
func (s *scene) draw(open float64) {
	width := s.right - s.left
	sine, cosine := math.Sincos(open * 80 * math.Pi / 180)
	rise := 0.22 * sine * s.height // the free side is further away, so its foot is higher and its top lower
	switch s.kind {
	case double:
		s.leaf(s.left, s.left+cosine*width/2, s.ground-s.height+rise/2, s.ground-rise, true)
		s.leaf(s.right, s.right-cosine*width/2, s.ground-s.height+rise/2, s.ground-rise, true)
	case field:
		s.leaf(s.left, s.left+cosine*width, s.ground-s.height+rise, s.ground-1.6*rise, false)
	case sliding:
		// The panel is drawn in the opening alone: the rest is behind the fence.
		from := s.left + open*width
		s.box(s.gate, 1, from, s.ground-s.height, s.right, s.ground-0.01)
		for i := range s.bars + 1 {
			if x := from + float64(i)*width/float64(s.bars); x < s.right {
				s.line(s.gate.times(0.6), 1, point{x, s.ground - s.height}, point{x, s.ground - 0.01}, 0.006)
			}
		}
		s.box(s.gate.times(0.8), 1, from, s.ground-s.height, s.right, s.ground-s.height+0.015)
	case boom:
		pivot := point{s.left, s.ground - s.height}
		tip := point{pivot.x + cosine*width, pivot.y - sine*width}
		s.line(s.gate, 1, pivot, tip, 0.024)
		for i := 1; i < 2*s.bars; i += 2 {
			a, b := float64(i)/float64(2*s.bars), float64(i+1)/float64(2*s.bars)
			s.line(rgb{0.75, 0.1, 0.1}, 1, point{pivot.x + a*(tip.x-pivot.x), pivot.y + a*(tip.y-pivot.y)}, point{pivot.x + b*(tip.x-pivot.x), pivot.y + b*(tip.y-pivot.y)}, 0.024)
		}
		s.box(rgb{0.85, 0.65, 0.1}, 1, s.left-0.03, s.ground-s.height-0.03, s.left+0.03, s.ground)
	}
}
