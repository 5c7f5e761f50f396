package gate

import "math/rand/v2"

// kind is how a gate is built, and so how it opens.
type kind int

const (
	double  kind = iota // two leaves of vertical bars, which swing
	sliding             // a panel that moves aside behind the fence
	boom                // an arm that rises
	field               // one leaf of horizontal bars, which swings
	kinds
)

// site is what stays the same at one place: the gate and what is around it.
type site struct {
	kind kind
	// left and right are the sides of the opening, ground its lower edge and height that of the gate.
	left, right, ground, height float64
	bars                        int
	gate, post, fence, wall     rgb
	roof, meadow, drive         rgb
	horizon                     float64
	// house is the left side of the house, behind the gate or beside it; fenceSolid whether one can see through the fence.
	house, houseSize float64
	fenceSolid       bool
	trees            []point
	lamp             point
}

var gateColors = []rgb{{0.16, 0.17, 0.18}, {0.12, 0.25, 0.16}, {0.55, 0.36, 0.2}, {0.82, 0.82, 0.8}, {0.35, 0.12, 0.1}, {0.45, 0.47, 0.5}}

// newSite returns the site of a number from 1: always the same.
func newSite(number int) *site {
	random := rand.New(rand.NewPCG(uint64(number), 0x67617465))
	between := func(low, high float64) float64 { return low + (high-low)*random.Float64() }
	near := func(c rgb) rgb { return c.times(float32(between(0.85, 1.15))) }
	center, width := between(0.5, 0.83), between(0.45, 0.75)
	s := &site{
		kind: kind(number-1) % kinds, left: center - width/2, right: center + width/2, ground: between(0.68, 0.8), height: between(0.24, 0.36), bars: 5 + random.IntN(7),
		gate: near(gateColors[random.IntN(len(gateColors))]), post: near(rgb{0.6, 0.57, 0.53}), fence: near(gateColors[random.IntN(len(gateColors))]),
		wall: near(rgb{0.75, 0.68, 0.58}), roof: near(rgb{0.5, 0.24, 0.18}), meadow: near(rgb{0.3, 0.42, 0.2}), drive: near(rgb{0.5, 0.48, 0.46}),
		horizon: between(0.38, 0.5), house: between(-0.1, 0.9), houseSize: between(0.25, 0.45), fenceSolid: random.IntN(2) == 0,
	}
	if s.kind == boom {
		s.gate = near(rgb{0.9, 0.88, 0.85})
		s.height *= 0.6
	}
	for range 2 + random.IntN(4) {
		s.trees = append(s.trees, point{between(-0.1, 1.45), between(s.horizon-0.1, s.horizon+0.02)})
	}
	s.lamp = point{s.left - 0.02, s.ground - s.height - 0.06}
	return s
}
