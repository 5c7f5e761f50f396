package preprocess

import (
	"fmt"
	"image"

	"edgelens"
	"edgelens/models"
)

// padding is the value of each channel of the bars of FitPad: gray.
const padding = 128

// parts are the parts of an image that a view shows, one for each tensor.
type parts struct {
	rects [edgelens.MaxSweep]image.Rectangle
	count int
	// inner is where in a tensor its part is: all of it, but for FitPad.
	inner image.Rectangle
}

// partsOf returns the parts that a buffer shows of an upright image of that size, in
// pixels. No part is empty.
func partsOf(buffer models.InputBuffer, size image.Point) (parts, error) {
	left, top, right, bottom := buffer.View.Region.Pixels(size.X, size.Y)
	region := nonEmpty(image.Rect(left, top, right, bottom), size)
	input := image.Pt(buffer.Spec.Width, buffer.Spec.Height)
	p := parts{count: 1, inner: image.Rectangle{Max: input}}
	switch buffer.View.Fit {
	case edgelens.FitStretch:
		p.rects[0] = region
	case edgelens.FitCenter:
		p.rects[0] = centered(region, within(region.Size(), input))
	case edgelens.FitSweep:
		p.sweep(region, within(region.Size(), input))
	case edgelens.FitPad:
		p.rects[0], p.inner = region, centered(p.inner, within(input, region.Size()))
	default:
		return parts{}, fmt.Errorf("fit the image: %w: there is no fit %q; report this as a bug of edgelens", edgelens.ErrModel, buffer.View.Fit)
	}
	return p, nil
}

// sweep sets overlapping parts of a size along the longer side of a region, from one end
// to the other: an odd number, at least three, until each overlaps the next by a third of
// it, or MaxSweep. A region of that size is one part.
func (p *parts) sweep(region image.Rectangle, size image.Point) {
	spare, side := region.Dx()-size.X, size.X
	vertical := region.Dy() > size.Y
	if vertical {
		spare, side = region.Dy()-size.Y, size.Y
	}
	if spare == 0 {
		p.rects[0] = region
		return
	}
	p.count = 3
	for p.count < edgelens.MaxSweep && 3*spare > 2*side*(p.count-1) {
		p.count += 2
	}
	for i := range p.count {
		at := (2*spare*i + p.count - 1) / (2 * (p.count - 1)) // rounded
		offset := image.Pt(at, 0)
		if vertical {
			offset = image.Pt(0, at)
		}
		p.rects[i] = image.Rectangle{Max: size}.Add(region.Min).Add(offset)
	}
}

// within returns the largest size with the aspect ratio of shape that fits into bounds,
// at least 1x1.
func within(bounds, shape image.Point) image.Point {
	if wide := bounds.X*shape.Y - bounds.Y*shape.X; wide > 0 {
		return image.Pt(max(1, (2*bounds.Y*shape.X+shape.Y)/(2*shape.Y)), bounds.Y)
	} else if wide < 0 {
		return image.Pt(bounds.X, max(1, (2*bounds.X*shape.Y+shape.X)/(2*shape.X)))
	}
	return bounds
}

// centered returns the rectangle of a size in the middle of r.
func centered(r image.Rectangle, size image.Point) image.Rectangle {
	return image.Rectangle{Max: size}.Add(r.Min).Add(r.Size().Sub(size).Div(2))
}

// nonEmpty extends r by a pixel in the directions in which it has none: a region of a
// reduced image may have.
func nonEmpty(r image.Rectangle, size image.Point) image.Rectangle {
	if r.Min.X == r.Max.X {
		r.Min.X = min(r.Min.X, size.X-1)
		r.Max.X = r.Min.X + 1
	}
	if r.Min.Y == r.Max.Y {
		r.Min.Y = min(r.Min.Y, size.Y-1)
		r.Max.Y = r.Min.Y + 1
	}
	return r
}

// shownOf returns the part of a stored image, decoded at a size in eighths, that has all
// that buffers show.
func shownOf(h header, eighths int, into []models.InputBuffer) image.Rectangle {
	upright := turned(image.Pt(scaled(h.width, eighths), scaled(h.height, eighths)), h.orientation)
	var all image.Rectangle
	for _, buffer := range into {
		shown, err := partsOf(buffer, upright)
		if err != nil {
			return image.Rectangle{Max: turned(upright, h.orientation)}
		}
		for _, r := range shown.rects[:shown.count] {
			all = all.Union(r)
		}
	}
	return storedRect(all, upright, h.orientation)
}

// checkRegion rejects a region that has too few pixels of an upright image of that size.
func checkRegion(r edgelens.Region, size image.Point) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("fit the image: %w", err)
	}
	if r == (edgelens.Region{}) {
		return nil
	}
	left, top, right, bottom := r.Pixels(size.X, size.Y)
	if right-left < edgelens.MinRegionSide || bottom-top < edgelens.MinRegionSide {
		return fmt.Errorf("fit the image: %w: the region has %dx%d pixels of this image of %dx%d, and at least %d a side are needed; choose a larger one or send a larger image",
			edgelens.ErrInvalid, right-left, bottom-top, size.X, size.Y, edgelens.MinRegionSide)
	}
	return nil
}

// turned swaps width and height for an orientation that lies on its side.
func turned(size image.Point, orientation int) image.Point {
	if orientation >= 5 {
		return image.Pt(size.Y, size.X)
	}
	return size
}

// storedRect returns where a rectangle of an upright image of that size is in the stored
// one, as uprightWalk describes.
func storedRect(r image.Rectangle, upright image.Point, orientation int) image.Rectangle {
	if orientation >= 5 {
		r = image.Rect(r.Min.Y, r.Min.X, r.Max.Y, r.Max.X)
		upright = image.Pt(upright.Y, upright.X)
	}
	if orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8 {
		r.Min.X, r.Max.X = upright.X-r.Max.X, upright.X-r.Min.X
	}
	if orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7 {
		r.Min.Y, r.Max.Y = upright.Y-r.Max.Y, upright.Y-r.Min.Y
	}
	return r
}
