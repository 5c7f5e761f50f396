// Package gate draws images of gates, open and closed, from which a head can learn: for tests, figures and a first try without
// a camera of one's own. Every site has another gate, surroundings and camera, so that the nodes of a federation differ.
package gate

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"slices"

	"edgelens"
)

// The labels, which are also the names of the folders.
const (
	Open   = "open"
	Closed = "closed"
)

// MaxSite is the number of the last site. The first is 1.
const MaxSite = 10_000

// Shot is one image to draw. The same shot is always the same image.
type Shot struct {
	// Site is the place, 1 to MaxSite.
	Site int
	// Seed decides all but the place: what stands around, the camera's aim, light, noise and how far the gate is open.
	Seed      uint64
	Condition Condition
	Open      bool
}

// Label returns Open or Closed.
func (s Shot) Label() string {
	if s.Open {
		return Open
	}
	return Closed
}

// Check returns an edgelens.ErrInvalid for a shot that cannot be drawn.
func (s Shot) Check() error {
	if s.Site < 1 || s.Site > MaxSite {
		return fmt.Errorf("%w: there is no site %d; use 1 to %d", edgelens.ErrInvalid, s.Site, MaxSite)
	}
	if !slices.Contains(Conditions(), s.Condition) {
		return fmt.Errorf("%w: the condition %.40q is not known; use some of %v", edgelens.ErrInvalid, s.Condition, Conditions())
	}
	return nil
}

// Draw returns the image, of Width x Height pixels. The error is that of Check.
func (s Shot) Draw() (image.Image, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(s.Seed, uint64(s.Site)))
	place := newSite(s.Site)
	within := func(limit float64) float64 { return limit * (2*random.Float64() - 1) }
	view := camera{within(0.03), within(0.03), 1 + within(0.06), within(0.02)}
	drawn := &scene{newCanvas(view), place, random}
	opened := drawn.between(0.35, 1) // also where it is closed, so that all else is equally likely
	if !s.Open {
		opened = 0
	}
	drawn.background(s.Condition == Rain || random.IntN(3) == 0)
	drawn.behind()
	drawn.draw(opened)
	drawn.surroundings()
	drawn.before()
	drawn.weather(s.Condition)
	return drawn.image(), nil
}

// JPEG returns the image as a JPEG, whose quality depends on the seed.
func (s Shot) JPEG() ([]byte, error) {
	drawn, err := s.Draw()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, drawn, &jpeg.Options{Quality: 65 + int(s.Seed%26)}); err != nil {
		return nil, fmt.Errorf("encode the image of a gate: %w", err)
	}
	return out.Bytes(), nil
}

// Shots returns count images of a site, half of them open, with the conditions in turn. Those of another seed differ. The error
// wraps edgelens.ErrInvalid.
func Shots(site, count int, seed uint64, conditions ...Condition) ([]Shot, error) {
	if count < 1 {
		return nil, fmt.Errorf("%w: %d images are none", edgelens.ErrInvalid, count)
	}
	if len(conditions) == 0 {
		conditions = Conditions()
	}
	random := rand.New(rand.NewPCG(seed, 0x73686f74))
	shots := make([]Shot, count)
	for i := range shots {
		shots[i] = Shot{site, random.Uint64(), conditions[i/2%len(conditions)], i%2 == 0}
		if err := shots[i].Check(); err != nil {
			return nil, err
		}
	}
	return shots, nil
}
