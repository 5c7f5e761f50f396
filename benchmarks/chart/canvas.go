// Package chart draws line charts and bar charts as SVG and PNG, with few dependencies: a plotting library makes the
// service's binary a fifth larger (docs/adr/0011).
package chart

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Width and Height are the size of every chart, in pixels.
const (
	Width  = 900
	Height = 520
)

type point struct{ x, y float64 }

// align is the anchor of a text: start, middle or end.
type align int

const (
	begin align = iota
	middle
	end
)

// A canvas has its origin at the top left.
type canvas interface {
	line(points []point, width float64, c color.RGBA)
	rect(x, y, w, h float64, c color.RGBA)
	// text has its base line at y.
	text(x, y float64, text string, a align)
	bytes() ([]byte, error)
}

const fontSize = 13

// svg writes SVG 1.1 (https://www.w3.org/TR/SVG11/).
type svg struct{ b strings.Builder }

func newSVG() canvas {
	s := &svg{}
	fmt.Fprintf(&s.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="%d">`+"\n",
		Width, Height, Width, Height, fontSize)
	s.rect(0, 0, Width, Height, white)
	return s
}

func (s *svg) line(points []point, width float64, c color.RGBA) {
	s.b.WriteString(`<polyline points="`)
	for _, p := range points {
		fmt.Fprintf(&s.b, "%.1f,%.1f ", p.x, p.y)
	}
	fmt.Fprintf(&s.b, `" fill="none" stroke="%s" stroke-width="%g"/>`+"\n", hex(c), width)
}

func (s *svg) rect(x, y, w, h float64, c color.RGBA) {
	fmt.Fprintf(&s.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, w, h, hex(c))
}

func (s *svg) text(x, y float64, text string, a align) {
	anchor := map[align]string{begin: "start", middle: "middle", end: "end"}[a]
	fmt.Fprintf(&s.b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(text))
}

func (s *svg) bytes() ([]byte, error) { return []byte(s.b.String() + "</svg>\n"), nil }

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// pixels draws an image.
type pixels struct {
	image *image.RGBA
	face  font.Face
}

func newPixels() (canvas, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read the font: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: fontSize, DPI: 72})
	if err != nil {
		return nil, fmt.Errorf("read the font: %w", err)
	}
	p := &pixels{image.NewRGBA(image.Rect(0, 0, Width, Height)), face}
	p.rect(0, 0, Width, Height, white)
	return p, nil
}

// line fills a thin rectangle for each part, and a square at each corner.
func (p *pixels) line(points []point, width float64, c color.RGBA) {
	half := width / 2
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		length := math.Hypot(b.x-a.x, b.y-a.y)
		if length == 0 {
			continue
		}
		dx, dy := (b.x-a.x)/length*half, (b.y-a.y)/length*half
		p.fill([]point{{a.x - dx - dy, a.y - dy + dx}, {b.x + dx - dy, b.y + dy + dx}, {b.x + dx + dy, b.y + dy - dx}, {a.x - dx + dy, a.y - dy - dx}}, c)
	}
}

func (p *pixels) rect(x, y, w, h float64, c color.RGBA) {
	p.fill([]point{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}, c)
}

// fill fills a polygon, within its bounds only, to limit the cost.
func (p *pixels) fill(corners []point, c color.RGBA) {
	low, high := corners[0], corners[0]
	for _, q := range corners {
		low.x, low.y, high.x, high.y = min(low.x, q.x), min(low.y, q.y), max(high.x, q.x), max(high.y, q.y)
	}
	bounds := image.Rect(int(math.Floor(low.x)), int(math.Floor(low.y)), int(math.Ceil(high.x)), int(math.Ceil(high.y)))
	if bounds.Empty() {
		return
	}
	r := vector.NewRasterizer(bounds.Dx(), bounds.Dy())
	at := func(q point) (float32, float32) {
		return float32(q.x - float64(bounds.Min.X)), float32(q.y - float64(bounds.Min.Y))
	}
	r.MoveTo(at(corners[0]))
	for _, q := range corners[1:] {
		r.LineTo(at(q))
	}
	r.ClosePath()
	r.Draw(p.image, bounds, image.NewUniform(c), image.Point{})
}

func (p *pixels) text(x, y float64, text string, a align) {
	d := font.Drawer{Dst: p.image, Src: image.NewUniform(black), Face: p.face}
	width := float64(d.MeasureString(text)) / 64
	x -= map[align]float64{begin: 0, middle: width / 2, end: width}[a]
	d.Dot = fixed.Point26_6{X: fixed.Int26_6(x * 64), Y: fixed.Int26_6(y * 64)}
	d.DrawString(text)
}

func (p *pixels) bytes() ([]byte, error) {
	var out bytes.Buffer
	err := png.Encode(&out, p.image)
	return out.Bytes(), err
}

var (
	white = color.RGBA{255, 255, 255, 255}
	black = color.RGBA{30, 30, 30, 255}
	gray  = color.RGBA{215, 215, 215, 255}
	// palette is P. Tol's for color-blind readers (https://personal.sron.nl/~pault/, "bright" and "vibrant").
	palette = []color.RGBA{{68, 119, 170, 255}, {238, 102, 119, 255}, {34, 136, 51, 255}, {204, 187, 68, 255}, {102, 204, 238, 255},
		{170, 51, 119, 255}, {238, 119, 51, 255}, {0, 119, 187, 255}, {187, 187, 187, 255}, {0, 153, 136, 255}}
)
