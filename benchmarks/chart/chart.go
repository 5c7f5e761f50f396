package chart

import (
	"fmt"
	"math"
)

// Series is a line with a name.
type Series struct {
	Name string
	X, Y []float64
}

// Tick is a mark on an axis.
type Tick struct {
	At    float64
	Label string
}

// Lines is a chart of lines, from 0 on both axes.
type Lines struct {
	Title, XLabel, YLabel string
	XTicks                []Tick
	Series                []Series
	// LegendBelow puts the names of the lines at the bottom, for lines that begin at the top.
	LegendBelow bool
}

// Bar is a value with its interval.
type Bar struct {
	Name             string
	Value, Low, High float64
}

// Bars is a chart of horizontal bars.
type Bars struct {
	Title, Label string
	Bars         []Bar
}

// A Chart can be drawn.
type Chart interface{ draw(canvas) }

// SVG returns the chart as SVG.
func SVG(c Chart) ([]byte, error) {
	s := newSVG()
	c.draw(s)
	return s.bytes()
}

// PNG returns the chart as PNG.
func PNG(c Chart) ([]byte, error) {
	p, err := newPixels()
	if err != nil {
		return nil, err
	}
	c.draw(p)
	return p.bytes()
}

// The area of the data.
const (
	top    = 50.0
	bottom = Height - 55.0
	right  = Width - 30.0
)

func (l Lines) draw(c canvas) {
	const left = 70.0
	var maxX, maxY float64
	for _, s := range l.Series {
		for i := range s.X {
			maxX, maxY = max(maxX, s.X[i]), max(maxY, s.Y[i])
		}
	}
	yTicks := niceTicks(maxY)
	maxX, maxY = max(maxX, 1e-9), yTicks[len(yTicks)-1].At
	x := func(v float64) float64 { return left + v/maxX*(right-left) }
	y := func(v float64) float64 { return bottom - v/maxY*(bottom-top) }
	c.text(Width/2, 25, l.Title, middle)
	c.text(10, top-12, l.YLabel, begin)
	c.text((left+right)/2, Height-12, l.XLabel, middle)
	for _, tick := range yTicks {
		c.line([]point{{left, y(tick.At)}, {right, y(tick.At)}}, 1, gray)
		c.text(left-6, y(tick.At)+4, tick.Label, end)
	}
	for _, tick := range l.XTicks {
		if tick.At <= maxX {
			c.line([]point{{x(tick.At), top}, {x(tick.At), bottom}}, 1, gray)
			c.text(x(tick.At), bottom+18, tick.Label, middle)
		}
	}
	legend := top + 16
	if l.LegendBelow {
		legend = bottom - 18*float64(len(l.Series)) + 6
	}
	for i, s := range l.Series {
		points := make([]point, len(s.X))
		for j := range points {
			points[j] = point{x(s.X[j]), y(s.Y[j])}
		}
		c.line(points, 2, palette[i%len(palette)])
		line := legend + 18*float64(i)
		c.line([]point{{left + 12, line - 4}, {left + 36, line - 4}}, 3, palette[i%len(palette)])
		c.text(left+42, line, s.Name, begin)
	}
}

func (b Bars) draw(c canvas) {
	const left = 280.0 // room for names
	limit := 0.0
	for _, bar := range b.Bars {
		limit = max(limit, bar.High, bar.Value)
	}
	ticks := niceTicks(limit)
	limit = ticks[len(ticks)-1].At
	x := func(v float64) float64 { return left + v/limit*(right-left) }
	c.text(Width/2, 25, b.Title, middle)
	c.text((left+right)/2, Height-12, b.Label, middle)
	for _, tick := range ticks {
		c.line([]point{{x(tick.At), top}, {x(tick.At), bottom}}, 1, gray)
		c.text(x(tick.At), bottom+18, tick.Label, middle)
	}
	each := (bottom - top) / float64(max(1, len(b.Bars)))
	for i, bar := range b.Bars {
		at := top + each*(float64(i)+0.5)
		high := min(26, each*0.7)
		c.rect(left, at-high/2, x(bar.Value)-left, high, palette[0])
		c.line([]point{{x(bar.Low), at}, {x(bar.High), at}}, 2, black)
		for _, v := range []float64{bar.Low, bar.High} {
			c.line([]point{{x(v), at - 5}, {x(v), at + 5}}, 2, black)
		}
		c.text(left-8, at+4, bar.Name, end)
	}
}

// niceTicks range from 0 to at least limit, in steps of 1, 2 or 5 times a power of ten; there are 4 to 10.
func niceTicks(limit float64) []Tick {
	if !(limit > 0) || math.IsInf(limit, 0) {
		limit = 1
	}
	power := math.Pow(10, math.Floor(math.Log10(limit)))
	step := power
	switch {
	case limit/power < 2:
		step = power / 5
	case limit/power < 5:
		step = power / 2
	}
	var ticks []Tick
	for n := 0; ; n++ {
		at := float64(n) * step
		ticks = append(ticks, Tick{at, fmt.Sprintf("%.4g", at)})
		if at >= limit {
			return ticks
		}
	}
}
