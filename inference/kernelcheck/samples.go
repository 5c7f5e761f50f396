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

// tensor writes the image into a model's input tensor, of in.Bytes() bytes, normalized as
// images are.
func (p sample) tensor(in models.InputSpec, tensor []byte) {
	width, height := min(in.Width, maxDrawn), min(in.Height, maxDrawn)
	drawn := p.draw(width, height)
	write := writer(in)
	for y := range in.Height {
		row := drawn[y*height/in.Height*width:]
		for x := range in.Width {
			color := row[x*width/in.Width]
			if in.Channels == 1 {
				color[0] = 0.299*color[0] + 0.587*color[1] + 0.114*color[2]
			}
			for c := range in.Channels {
				write(tensor, (y*in.Width+x)*in.Channels+c, c, 255*color[c])
			}
		}
	}
}

// draw returns the colors row by row.
func (p sample) draw(width, height int) []rgb {
	colors := make([]rgb, width*height)
	for i := range colors {
		x, y := float64(i%width), float64(i/width)
		colors[i] = p.shade((x+0.5)/float64(width), (y+0.5)/float64(height))
	}
	return colors
}

// writer returns the function that writes element i of a tensor, of a channel, for a pixel
// value from 0 to 255.
func writer(in models.InputSpec) func(tensor []byte, i, channel int, pixel float64) {
	if in.DType == models.Float32 {
		return func(tensor []byte, i, c int, pixel float64) {
			models.PutFloat32(tensor[4*i:], float32((pixel-in.Mean[c])/in.Std[c]))
		}
	}
	low := 0.0
	if in.DType == models.Int8 {
		low = -128
	}
	return func(tensor []byte, i, c int, pixel float64) {
		q := pixel + low
		if in.Scale != 0 {
			q = (pixel-in.Mean[c])/in.Std[c]/in.Scale + float64(in.ZeroPoint)
		}
		tensor[i] = byte(int(math.Round(min(max(q, low), low+255))))
	}
}
