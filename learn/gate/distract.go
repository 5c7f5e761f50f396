package gate

// behind draws what may be on the drive behind the gate, and before what may be in front of it. Both are as likely with an open
// gate as with a closed one.
func (s *scene) behind() {
	if s.random.IntN(3) == 0 {
		s.car(s.between(s.left, s.right), s.ground-s.between(0.05, 0.12), 0.6)
	}
	if s.random.IntN(4) == 0 {
		s.person(s.between(s.left, s.right), s.ground-s.between(0.02, 0.1), 0.8)
	}
}

func (s *scene) before() {
	if s.random.IntN(5) == 0 {
		s.car(s.between(0, 1.33), s.ground+s.between(0.06, 0.15), 1)
	}
	if s.random.IntN(3) == 0 {
		s.person(s.between(0, 1.33), s.ground+s.between(0.02, 0.2), 1.1)
	}
	if s.random.IntN(3) == 0 {
		s.bin(s.between(0, 1.33), s.ground+s.between(0.01, 0.08))
	}
	if s.random.IntN(5) == 0 { // a branch close to the camera
		from := point{s.between(-0.1, 1.4), -0.1}
		for range 25 {
			s.ellipse(rgb{0.12, 0.28, 0.08}.times(float32(s.between(0.5, 1.5))), 0.9, point{from.x + s.between(-0.2, 0.2), from.y + s.between(0, 0.3)}, s.between(0.01, 0.04), s.between(0.01, 0.03))
		}
	}
}

// anyColor returns a color of clothes and cars.
func (s *scene) anyColor() rgb {
	return rgb{float32(s.between(0.05, 0.9)), float32(s.between(0.05, 0.9)), float32(s.between(0.05, 0.9))}
}

// car draws one from the side, with its wheels at x and ground, of a size.
func (s *scene) car(x, ground, size float64) {
	paint := s.anyColor()
	s.ellipse(rgb{}, 0.35, point{x, ground}, 0.2*size, 0.02*size)
	s.box(paint, 1, x-0.19*size, ground-0.11*size, x+0.19*size, ground-0.03*size)
	s.convex(paint.times(0.9), 1, point{x - 0.13*size, ground - 0.1*size}, point{x + 0.12*size, ground - 0.1*size}, point{x + 0.07*size, ground - 0.18*size}, point{x - 0.09*size, ground - 0.18*size})
	s.convex(rgb{0.2, 0.25, 0.3}, 1, point{x - 0.11*size, ground - 0.11*size}, point{x + 0.1*size, ground - 0.11*size}, point{x + 0.06*size, ground - 0.17*size}, point{x - 0.08*size, ground - 0.17*size})
	for _, wheel := range []float64{-0.11, 0.11} {
		s.ellipse(rgb{0.07, 0.07, 0.07}, 1, point{x + wheel*size, ground - 0.03*size}, 0.035*size, 0.035*size)
		s.ellipse(rgb{0.6, 0.6, 0.6}, 1, point{x + wheel*size, ground - 0.03*size}, 0.015*size, 0.015*size)
	}
}

// person draws one who stands at x and ground.
func (s *scene) person(x, ground, size float64) {
	coat := s.anyColor()
	s.ellipse(rgb{}, 0.3, point{x, ground}, 0.05*size, 0.012*size)
	for _, leg := range []float64{-0.015, 0.015} {
		s.line(rgb{0.15, 0.16, 0.22}, 1, point{x + leg*size, ground}, point{x + leg*size/2, ground - 0.12*size}, 0.02*size)
	}
	s.ellipse(coat, 1, point{x, ground - 0.17*size}, 0.035*size, 0.07*size)
	s.ellipse(rgb{0.75, 0.57, 0.46}, 1, point{x, ground - 0.265*size}, 0.02*size, 0.025*size)
}

// bin draws a waste bin.
func (s *scene) bin(x, ground float64) {
	color := s.anyColor()
	s.convex(color, 1, point{x - 0.035, ground - 0.12}, point{x + 0.035, ground - 0.12}, point{x + 0.028, ground}, point{x - 0.028, ground})
	s.box(color.times(0.7), 1, x-0.04, ground-0.13, x+0.04, ground-0.115)
}
