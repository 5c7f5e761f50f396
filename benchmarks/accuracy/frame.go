package accuracy

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"golang.org/x/image/bmp"

	"edgelens"
)

// Frame is how an image is put before a camera: in a wider frame of the ratio Width:Height. The zero value leaves
// images as they are.
type Frame struct{ Width, Height float64 }

// asIs is the text of the zero Frame.
const asIs = "as-is"

// maxRatio is the maximum of Width / Height.
const maxRatio = 8

// frameGray is the level of the pixels around an image.
const frameGray = 128

// ParseFrame reads "as-is" or a ratio such as "16:9". The error wraps edgelens.ErrInvalid.
func ParseFrame(text string) (Frame, error) {
	if text == asIs {
		return Frame{}, nil
	}
	width, height, ok := strings.Cut(text, ":")
	w, errW := strconv.ParseFloat(width, 64)
	h, errH := strconv.ParseFloat(height, 64)
	if ratio := w / h; !ok || errW != nil || errH != nil || !(w > 0 && h > 0 && ratio >= 1 && ratio <= maxRatio) {
		return Frame{}, fmt.Errorf("%w: a frame must be as-is, or width:height such as 16:9, at least as wide as high and at most %d times, not %.40q", edgelens.ErrInvalid, maxRatio, text)
	}
	return Frame{w, h}, nil
}

// String returns what ParseFrame reads.
func (f Frame) String() string {
	if f == (Frame{}) {
		return asIs
	}
	return strconv.FormatFloat(f.Width, 'g', -1, 64) + ":" + strconv.FormatFloat(f.Height, 'g', -1, 64)
}

// MarshalText returns String.
func (f Frame) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is ParseFrame.
func (f *Frame) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFrame(string(text))
	return err
}

// Pixels is an upright image: RGB, row by row.
type Pixels struct {
	Width, Height int
	RGB           []byte
}

// Place returns which part of an image goes where in the frame: the image at its full height, of a portrait one the
// middle square, at a place that is evenly distributed over the frame's width and depends on seed and name only. Of
// an image that is wider than the frame, its middle fills it.
func (f Frame) Place(width, height int, seed uint64, name string) (part image.Rectangle, frame image.Point, left int) {
	part = image.Rect(0, 0, width, height)
	if height > width {
		top := (height - width) / 2
		part = image.Rect(0, top, width, top+width)
	}
	frame = image.Pt(max(1, int(math.Round(float64(part.Dy())*f.Width/f.Height))), part.Dy())
	if beyond := part.Dx() - frame.X; beyond > 0 {
		part.Min.X += beyond / 2
		part.Max.X = part.Min.X + frame.X
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // never fails
	left = rand.New(rand.NewPCG(seed, hash.Sum64())).IntN(frame.X - part.Dx() + 1)
	return part, frame, left
}

// Put returns a BMP of the image in the frame.
func (f Frame) Put(p Pixels, seed uint64, name string) ([]byte, error) {
	part, size, left := f.Place(p.Width, p.Height, seed, name)
	frame := image.NewRGBA(image.Rectangle{Max: size})
	for i := range frame.Pix {
		frame.Pix[i] = frameGray
		if i%4 == 3 {
			frame.Pix[i] = 255
		}
	}
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			from := p.RGB[3*(y*p.Width+x):]
			frame.SetRGBA(left+x-part.Min.X, y-part.Min.Y, color.RGBA{from[0], from[1], from[2], 255})
		}
	}
	var out bytes.Buffer
	if err := bmp.Encode(&out, frame); err != nil {
		return nil, fmt.Errorf("put %s into a frame: %w", name, err)
	}
	return out.Bytes(), nil
}
