package kernelcheck

import (
	"math"

	"edgelens/models"
)

// A sample is a drawing that models of ImageNet's classes recognize with a clear margin,
// at any size.
type sample struct {
	name  string
	shade shade
}

// samples are what kernels are compared on. The reference kernels run once for each: there
// must be at most ten. A change needs a new Version.
var samples = []sample{
	{"balloon", balloon}, {"candle", candle}, {"crossword puzzle", crossword}, {"digital clock", digitalClock}, {"honeycomb", honeycomb},
	{"shoji", shoji}, {"spider web", spiderWeb}, {"traffic light", trafficLight}, {"umbrella", umbrella}, {"window shade", windowShade},
}

// maxDrawn is the most pixels a side that are drawn; larger tensors repeat them.
const maxDrawn = 256

// drawing is a sample as an image of width x height pixels, a byte each for red, green and
// blue.
type drawing struct {
	width, height int
	pixels        []byte
}

// drawings are all samples, drawn for a model's input.
func drawings(in models.InputSpec) []drawing {
	list := make([]drawing, len(samples))
	for i, s := range samples {
		list[i] = s.draw(min(in.Width, maxDrawn), min(in.Height, maxDrawn))
	}
	return list
}

func (s sample) draw(width, height int) drawing {
	d := drawing{width, height, make([]byte, 0, 3*width*height)}
	for y := range height {
		for x := range width {
			for _, v := range s.shade((float64(x)+0.5)/float64(width), (float64(y)+0.5)/float64(height)) {
				d.pixels = append(d.pixels, byte(255*min(max(v, 0), 1)+0.5))
			}
		}
	}
	return d
}

// fill writes the drawing into a model's input tensor, of in.Bytes() bytes, normalized as
// images are.
func (d drawing) fill(in models.InputSpec, tensor []byte) {
	elements := elementsOf(in)
	size := in.DType.Size()
	for y := range in.Height {
		row := d.pixels[y*d.height/in.Height*d.width*3:]
		for x := range in.Width {
			pixel := row[x*d.width/in.Width*3:][:3]
			if in.Channels == 1 {
				pixel = pixel[1:2] // green, which is nearest to the brightness
			}
			for c, v := range pixel {
				tensor = tensor[copy(tensor, elements[c][int(v)*size:][:size]):]
			}
		}
	}
}

// elementsOf returns for each channel the bytes of an element for each value of a pixel.
func elementsOf(in models.InputSpec) (elements [3][]byte) {
	size, low := in.DType.Size(), 0.0
	if in.DType == models.Int8 {
		low = -128
	}
	for c := range elements {
		elements[c] = make([]byte, 256*size)
		for p := range 256 {
			value := (float64(p) - in.Mean[c]) / in.Std[c]
			if in.DType == models.Float32 {
				models.PutFloat32(elements[c][size*p:], float32(value))
				continue
			}
			q := float64(p) + low
			if in.Scale != 0 {
				q = value/in.Scale + float64(in.ZeroPoint)
			}
			elements[c][p] = byte(int(math.Round(min(max(q, low), low+255))))
		}
	}
	return elements
}
