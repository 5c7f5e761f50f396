package edgelens

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Fit is how an image is shown to a model whose input has another aspect ratio. The
// empty Fit leaves the choice to the next in line: request, device, model, service.
type Fit string

// The fits.
const (
	// FitCenter shows the largest part in the middle that has the input's aspect
	// ratio.
	FitCenter Fit = "center"
	// FitStretch shows the whole image, distorted.
	FitStretch Fit = "stretch"
	// FitSweep shows several overlapping parts with the input's aspect ratio, from one
	// end of the image to the other, and takes the mean of the scores.
	FitSweep Fit = "sweep"
	// FitPad shows the whole image, undistorted, between gray bars.
	FitPad Fit = "pad"
)

// DefaultFit is that of a service whose settings have none.
const DefaultFit = FitCenter

// Fits are all fits but the empty one.
func Fits() []Fit { return []Fit{FitCenter, FitStretch, FitSweep, FitPad} }

// Check returns an ErrInvalid for a Fit that does not exist; the empty one is valid.
func (f Fit) Check() error {
	switch f {
	case "", FitCenter, FitStretch, FitSweep, FitPad:
		return nil
	}
	return fmt.Errorf("%w: fit must be center, stretch, sweep or pad, not %.40q", ErrInvalid, string(f))
}

// Region is a rectangle of the upright image: the left and top edge, the width and
// the height, each as a share of the image's, from 0 to 1. The zero value is the
// whole image.
type Region struct{ X, Y, Width, Height float64 }

// regionSlack is how far outside of the image a Region may end, since sums such as
// 0.7 + 0.3 are not exact.
const regionSlack = 1e-9

// Check returns an ErrInvalid for a Region that is not inside of the image, or empty.
// The zero value is valid.
func (r Region) Check() error {
	if r == (Region{}) {
		return nil
	}
	within := func(at, length float64) bool { // not for NaN
		return at >= 0 && length > 0 && length <= 1 && at+length <= 1+regionSlack
	}
	if !within(r.X, r.Width) || !within(r.Y, r.Height) {
		return fmt.Errorf("%w: region must be inside of the image: x, y, width and height from 0 to 1, with x + width and y + height at most 1, not %s", ErrInvalid, r)
	}
	return nil
}

// String returns "x,y,width,height", which ParseRegion reads; "" for the whole image.
func (r Region) String() string {
	if r == (Region{}) {
		return ""
	}
	var parts []string
	for _, v := range []float64{r.X, r.Y, r.Width, r.Height} {
		parts = append(parts, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return strings.Join(parts, ",")
}

// ParseRegion reads "x,y,width,height"; "" is the whole image. The error wraps
// ErrInvalid.
func ParseRegion(text string) (Region, error) {
	if text == "" {
		return Region{}, nil
	}
	var numbers [4]float64
	parts := strings.Split(text, ",")
	if len(parts) != len(numbers) {
		return Region{}, fmt.Errorf("%w: region must be x,y,width,height, such as 0.25,0,0.5,1, not %.80q", ErrInvalid, text)
	}
	for i, part := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || strings.ContainsAny(part, "xX") { // hexadecimal
			return Region{}, fmt.Errorf("%w: region must be four numbers from 0 to 1, x,y,width,height, not %.80q", ErrInvalid, text)
		}
		numbers[i] = v
	}
	r := Region{numbers[0], numbers[1], numbers[2], numbers[3]}
	if r == (Region{}) {
		return Region{}, fmt.Errorf("%w: region has no width and no height; leave it out for the whole image", ErrInvalid)
	}
	return r, r.Check()
}

// MarshalText returns String.
func (r Region) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is ParseRegion.
func (r *Region) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRegion(string(text))
	return err
}

// Pixels returns the rectangle in an upright image of width times height pixels:
// the left and top edge, and the first column and row beyond it.
func (r Region) Pixels(width, height int) (left, top, right, bottom int) {
	if r == (Region{}) {
		return 0, 0, width, height
	}
	at := func(share float64, side int) int { return min(max(int(math.Round(share*float64(side))), 0), side) }
	return at(r.X, width), at(r.Y, height), at(r.X+r.Width, width), at(r.Y+r.Height, height)
}

// MinRegionSide is the minimum width and height of a Region in pixels.
const MinRegionSide = 8

// View is which part of an image is shown to a model, and how.
type View struct {
	Fit    Fit
	Region Region
}

// Check returns an ErrInvalid for a View that does not exist.
func (v View) Check() error {
	if err := v.Fit.Check(); err != nil {
		return err
	}
	return v.Region.Check()
}

// Or returns v with what it leaves open taken from other.
func (v View) Or(other View) View {
	if v.Fit == "" {
		v.Fit = other.Fit
	}
	if v.Region == (Region{}) {
		v.Region = other.Region
	}
	return v
}

// ShownView is what a model was shown of an image.
type ShownView struct {
	View
	// Count is how many parts were shown: 1, or for FitSweep up to MaxSweep.
	Count int
}

// MaxSweep is the maximum number of parts that FitSweep shows.
const MaxSweep = 7
