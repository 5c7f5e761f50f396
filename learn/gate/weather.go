package gate

import "math"

// Condition is the weather and light of an image.
type Condition string

// The conditions.
const (
	Day  Condition = "day"
	Rain Condition = "rain"
	Dusk Condition = "dusk"
)

// Conditions returns all of them.
func Conditions() []Condition { return []Condition{Day, Rain, Dusk} }

// weather draws the condition over a finished scene, with what a camera adds: blur, exposure, color cast and noise.
func (s *scene) weather(c Condition) {
	light, cast, noise, blur := s.between(0.75, 1.2), rgb{1, 1, 1}, s.between(0.01, 0.03), s.random.IntN(2)
	switch c {
	case Day:
		s.shadow()
	case Rain:
		light *= 0.75
		cast = rgb{0.93, 0.97, 1.02}
		blur = 1 + s.random.IntN(2)
		s.haze(s.between(0.1, 0.35))
		s.rain(int(s.between(150, 500)))
	case Dusk:
		light *= s.between(0.22, 0.5)
		cast = rgb{0.95, 0.92, 1.15}
		noise = s.between(0.02, 0.06)
	}
	for i := range cast {
		cast[i] *= float32(light * s.between(0.94, 1.06))
	}
	for i, p := range s.pixels {
		s.pixels[i] = rgb{p[0] * cast[0], p[1] * cast[1], p[2] * cast[2]}
	}
	if c == Dusk && s.random.IntN(3) > 0 {
		s.glow(rgb{0.6, 0.48, 0.25}, s.lamp, s.between(0.08, 0.2))
	}
	s.pixels = blurred(s.pixels, blur)
	for i := range s.pixels {
		gray := float32(noise * s.random.NormFloat64())
		for j := range s.pixels[i] {
			s.pixels[i][j] += gray + float32(noise/2*s.random.NormFloat64())
		}
	}
}

// shadow darkens a slanted band, as of a tree beside the camera.
func (s *scene) shadow() {
	if s.random.IntN(2) == 0 {
		x, width := s.between(-0.2, 1.3), s.between(0.1, 0.4)
		s.convex(rgb{}, float32(s.between(0.15, 0.4)), point{x, s.horizon}, point{x + width, s.horizon}, point{x + width + 0.3, 1.2}, point{x + 0.3, 1.2})
	}
}

// haze makes the upper part, which is further away, gray.
func (s *scene) haze(amount float64) {
	for y := range Height {
		share := float32(amount * (1 - 0.7*float64(y)/Height))
		for x := range Width {
			at := &s.pixels[y*Width+x]
			*at = at.blend(rgb{0.66, 0.68, 0.7}, share)
		}
	}
}

// rain draws streaks, and drops on the lens.
func (s *scene) rain(streaks int) {
	slant := s.between(-0.3, 0.3)
	for range streaks {
		from, length := point{s.between(-0.1, 1.45), s.between(-0.1, 1)}, s.between(0.02, 0.07)
		s.line(rgb{0.85, 0.88, 0.92}, float32(s.between(0.15, 0.45)), from, point{from.x + slant*length, from.y + length*math.Sqrt(1-slant*slant)}, 0.0025)
	}
	for range s.random.IntN(8) {
		s.ellipse(rgb{0.8, 0.82, 0.85}, 0.4, point{s.between(0, 1.33), s.between(0, 1)}, s.between(0.01, 0.04), s.between(0.01, 0.04))
	}
}
