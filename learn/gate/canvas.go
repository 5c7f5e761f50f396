package gate

import (
	"image"
	"math"
	"math/rand/v2"
)

// The size of the images.
const (
	Width  = 640
	Height = 480
)

// rgb is a color, each part from 0 to 1.
type rgb [3]float32

// times returns the color multiplied by a factor.
func (c rgb) times(f float32) rgb { return rgb{c[0] * f, c[1] * f, c[2] * f} }

// blend returns the color that is share of the way to another one.
func (c rgb) blend(to rgb, share float32) rgb {
	return rgb{c[0] + share*(to[0]-c[0]), c[1] + share*(to[1]-c[1]), c[2] + share*(to[2]-c[2])}
}

// point is a place in the scene: x goes right and y down, and the height of the image is 1.
type point struct{ x, y float64 }

// camera is where the scene is seen from: it is moved, enlarged and turned.
type camera struct{ dx, dy, zoom, angle float64 }

// at returns the pixel of a point.
func (c camera) at(p point) point {
	const centerX, centerY = float64(Width) / Height / 2, 0.5
	sine, cosine := math.Sincos(c.angle)
	x, y := p.x-centerX+c.dx, p.y-centerY+c.dy
	return point{Width/2 + Height*c.zoom*(x*cosine-y*sine), Height/2 + Height*c.zoom*(x*sine+y*cosine)}
}

// canvas is an image that is drawn on, with the camera applied.
type canvas struct {
	camera camera
	pixels []rgb
}

func newCanvas(c camera) *canvas { return &canvas{c, make([]rgb, Width*Height)} }

// convex fills a convex polygon, whose corners may be in either order, and covers what is below by alpha.
func (c *canvas) convex(color rgb, alpha float32, corners ...point) {
	pixels := make([]point, len(corners))
	left, right, top, bottom := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	area := 0.0
	for i, corner := range corners {
		pixels[i] = c.camera.at(corner)
		left, right = min(left, pixels[i].x), max(right, pixels[i].x)
		top, bottom = min(top, pixels[i].y), max(bottom, pixels[i].y)
	}
	type edge struct{ a, b, c float64 } // a x + b y + c is the distance to the inside
	var edges []edge
	for i, p := range pixels {
		q := pixels[(i+1)%len(pixels)]
		area += p.x*q.y - q.x*p.y
	}
	for i, p := range pixels {
		q := pixels[(i+1)%len(pixels)]
		length := math.Copysign(math.Hypot(q.x-p.x, q.y-p.y), area)
		if length != 0 {
			a, b := (p.y-q.y)/length, (q.x-p.x)/length
			edges = append(edges, edge{a, b, -a*p.x - b*p.y})
		}
	}
	c.each(left, right, top, bottom, func(x, y float64) float64 {
		inside := math.Inf(1)
		for _, e := range edges {
			inside = min(inside, e.a*x+e.b*y+e.c)
		}
		return inside
	}, color, alpha)
}

// ellipse fills an ellipse.
func (c *canvas) ellipse(color rgb, alpha float32, center point, radiusX, radiusY float64) {
	p := c.camera.at(center)
	rx, ry := radiusX*Height*c.camera.zoom, radiusY*Height*c.camera.zoom
	c.each(p.x-rx, p.x+rx, p.y-ry, p.y+ry, func(x, y float64) float64 {
		return (1 - math.Hypot((x-p.x)/rx, (y-p.y)/ry)) * min(rx, ry)
	}, color, alpha)
}

// glow adds light around a point, which fades with the distance.
func (c *canvas) glow(light rgb, center point, radius float64) {
	p := c.camera.at(center)
	r := radius * Height * c.camera.zoom
	for y := max(0, int(p.y-3*r)); y < min(Height, int(p.y+3*r)); y++ {
		for x := max(0, int(p.x-3*r)); x < min(Width, int(p.x+3*r)); x++ {
			d := math.Hypot(float64(x)-p.x, float64(y)-p.y) / r
			share := float32(math.Exp(-d * d))
			at := &c.pixels[y*Width+x]
			for i := range at {
				at[i] += share * light[i]
			}
		}
	}
}

// each blends the color into the pixels of a rectangle, by how deep their centers are inside: half a pixel outside it has
// faded away.
func (c *canvas) each(left, right, top, bottom float64, inside func(x, y float64) float64, color rgb, alpha float32) {
	for y := max(0, int(top-1)); y < min(Height, int(bottom+2)); y++ {
		for x := max(0, int(left-1)); x < min(Width, int(right+2)); x++ {
			if cover := min(1, inside(float64(x)+0.5, float64(y)+0.5)+0.5); cover > 0 {
				at := &c.pixels[y*Width+x]
				*at = at.blend(color, alpha*float32(cover))
			}
		}
	}
}

// line draws a straight line of a width.
func (c *canvas) line(color rgb, alpha float32, from, to point, width float64) {
	length := math.Hypot(to.x-from.x, to.y-from.y)
	if length == 0 {
		return
	}
	x, y := (to.y-from.y)/length*width/2, (from.x-to.x)/length*width/2
	c.convex(color, alpha, point{from.x + x, from.y + y}, point{to.x + x, to.y + y}, point{to.x - x, to.y - y}, point{from.x - x, from.y - y})
}

// box draws an upright rectangle.
func (c *canvas) box(color rgb, alpha float32, left, top, right, bottom float64) {
	c.convex(color, alpha, point{left, top}, point{right, top}, point{right, bottom}, point{left, bottom})
}

// textured makes the pixels of a band of the scene, from top to bottom, lighter and darker by up to amount in spots.
func (c *canvas) textured(random *rand.Rand, top, bottom float64, amount float32, spots int) {
	for range spots {
		p := point{random.Float64() * 1.6 * Width / Height, top + random.Float64()*(bottom-top)}
		shade := rgb{}
		if random.IntN(2) == 0 {
			shade = rgb{1, 1, 1}
		}
		c.ellipse(shade, amount*random.Float32(), p, 0.01+0.05*random.Float64(), 0.003+0.012*random.Float64())
	}
}

// blurred returns the pixels averaged over boxes of 2 radius + 1 pixels a side.
func blurred(pixels []rgb, radius int) []rgb {
	if radius == 0 {
		return pixels
	}
	pixels = blurredAlong(pixels, radius, Width, Height, 1, Width)
	return blurredAlong(pixels, radius, Height, Width, Width, 1)
}

// blurredAlong averages along lines of a length, whose pixels are step apart and whose starts are stride apart.
func blurredAlong(pixels []rgb, radius, length, lines, step, stride int) []rgb {
	out := make([]rgb, len(pixels))
	share := 1 / float32(2*radius+1)
	for line := range lines {
		at := func(i int) rgb { return pixels[line*stride+step*min(max(i, 0), length-1)] }
		var sum rgb
		for i := -radius; i <= radius; i++ {
			sum = add(sum, at(i), 1)
		}
		for i := range length {
			out[line*stride+step*i] = sum.times(share)
			sum = add(add(sum, at(i+radius+1), 1), at(i-radius), -1)
		}
	}
	return out
}

func add(a, b rgb, f float32) rgb { return rgb{a[0] + f*b[0], a[1] + f*b[1], a[2] + f*b[2]} }

// image returns the pixels as an image; parts outside 0 to 1 are cut off.
func (c *canvas) image() *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, Width, Height))
	for i, p := range c.pixels {
		for j, v := range p {
			out.Pix[4*i+j] = uint8(255*min(1, max(0, v)) + 0.5)
		}
		out.Pix[4*i+3] = 255
	}
	return out
}
