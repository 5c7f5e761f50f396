package preprocess

import (
	"errors"
	"image"
	"math/rand/v2"
	"testing"

	"edgelens"
	"edgelens/models"
)

// showing returns a buffer without memory, of a model's input and a view.
func showing(fit edgelens.Fit, width, height int, region ...float64) models.InputBuffer {
	b := models.InputBuffer{Spec: models.InputSpec{Width: width, Height: height, Channels: 3}, View: edgelens.View{Fit: fit}}
	if len(region) == 4 {
		b.View.Region = edgelens.Region{X: region[0], Y: region[1], Width: region[2], Height: region[3]}
	}
	return b
}

func TestPartsOf(t *testing.T) {
	r := image.Rect
	for name, test := range map[string]struct {
		buffer models.InputBuffer
		size   image.Point
		want   []image.Rectangle
		inner  image.Rectangle
	}{
		"stretch":                      {showing(edgelens.FitStretch, 224, 224), image.Pt(640, 480), []image.Rectangle{r(0, 0, 640, 480)}, r(0, 0, 224, 224)},
		"stretch, a region":            {showing(edgelens.FitStretch, 224, 224, 0.5, 0.25, 0.5, 0.5), image.Pt(640, 480), []image.Rectangle{r(320, 120, 640, 360)}, r(0, 0, 224, 224)},
		"center of a wide image":       {showing(edgelens.FitCenter, 224, 224), image.Pt(640, 480), []image.Rectangle{r(80, 0, 560, 480)}, r(0, 0, 224, 224)},
		"center of a high image":       {showing(edgelens.FitCenter, 224, 224), image.Pt(480, 640), []image.Rectangle{r(0, 80, 480, 560)}, r(0, 0, 224, 224)},
		"center of a square":           {showing(edgelens.FitCenter, 224, 224), image.Pt(99, 99), []image.Rectangle{r(0, 0, 99, 99)}, r(0, 0, 224, 224)},
		"center of an odd width":       {showing(edgelens.FitCenter, 224, 224), image.Pt(101, 50), []image.Rectangle{r(25, 0, 75, 50)}, r(0, 0, 224, 224)},
		"center for a wide model":      {showing(edgelens.FitCenter, 200, 100), image.Pt(100, 100), []image.Rectangle{r(0, 25, 100, 75)}, r(0, 0, 200, 100)},
		"center of a region":           {showing(edgelens.FitCenter, 224, 224, 0.5, 0, 0.5, 1), image.Pt(1000, 200), []image.Rectangle{r(650, 0, 850, 200)}, r(0, 0, 224, 224)},
		"center of one row":            {showing(edgelens.FitCenter, 224, 224), image.Pt(5000, 1), []image.Rectangle{r(2499, 0, 2500, 1)}, r(0, 0, 224, 224)},
		"center of one column":         {showing(edgelens.FitCenter, 4096, 1), image.Pt(1, 5000), []image.Rectangle{r(0, 2499, 1, 2500)}, r(0, 0, 4096, 1)},
		"sweep of a square":            {showing(edgelens.FitSweep, 224, 224), image.Pt(99, 99), []image.Rectangle{r(0, 0, 99, 99)}, r(0, 0, 224, 224)},
		"sweep of 4:3":                 {showing(edgelens.FitSweep, 224, 224), image.Pt(640, 480), []image.Rectangle{r(0, 0, 480, 480), r(80, 0, 560, 480), r(160, 0, 640, 480)}, r(0, 0, 224, 224)},
		"sweep of a high image":        {showing(edgelens.FitSweep, 224, 224), image.Pt(480, 641), []image.Rectangle{r(0, 0, 480, 480), r(0, 81, 480, 561), r(0, 161, 480, 641)}, r(0, 0, 224, 224)},
		"sweep with a third in common": {showing(edgelens.FitSweep, 9, 9), image.Pt(70, 30), []image.Rectangle{r(0, 0, 30, 30), r(20, 0, 50, 30), r(40, 0, 70, 30)}, r(0, 0, 9, 9)},
		"sweep with less in common": {showing(edgelens.FitSweep, 9, 9), image.Pt(71, 30), []image.Rectangle{
			r(0, 0, 30, 30), r(10, 0, 40, 30), r(21, 0, 51, 30), r(31, 0, 61, 30), r(41, 0, 71, 30),
		}, r(0, 0, 9, 9)},
		"sweep of one row": {showing(edgelens.FitSweep, 9, 9), image.Pt(7, 1), []image.Rectangle{
			r(0, 0, 1, 1), r(1, 0, 2, 1), r(2, 0, 3, 1), r(3, 0, 4, 1), r(4, 0, 5, 1), r(5, 0, 6, 1), r(6, 0, 7, 1),
		}, r(0, 0, 9, 9)},
		"pad of a wide image":      {showing(edgelens.FitPad, 224, 224), image.Pt(640, 480), []image.Rectangle{r(0, 0, 640, 480)}, r(0, 28, 224, 196)},
		"pad of a high image":      {showing(edgelens.FitPad, 224, 224), image.Pt(480, 640), []image.Rectangle{r(0, 0, 480, 640)}, r(28, 0, 196, 224)},
		"pad of one row":           {showing(edgelens.FitPad, 224, 224), image.Pt(5000, 1), []image.Rectangle{r(0, 0, 5000, 1)}, r(0, 111, 224, 112)},
		"a region between pixels":  {showing(edgelens.FitStretch, 9, 9, 0.5, 0.5, 0.01, 0.01), image.Pt(10, 10), []image.Rectangle{r(5, 5, 6, 6)}, r(0, 0, 9, 9)},
		"a region at the far edge": {showing(edgelens.FitStretch, 9, 9, 0.99, 0.99, 0.01, 0.01), image.Pt(10, 10), []image.Rectangle{r(9, 9, 10, 10)}, r(0, 0, 9, 9)},
	} {
		got, err := partsOf(test.buffer, test.size)
		if err != nil || got.count != len(test.want) || got.inner != test.inner {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		for i, want := range test.want {
			if got.rects[i] != want {
				t.Errorf("%s: part %d is %v, want %v", name, i, got.rects[i], want)
			}
		}
	}
	if _, err := partsOf(showing("", 9, 9), image.Pt(9, 9)); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("no fit: %v, want an ErrModel", err)
	}
}

// Whatever the sizes: parts are inside of the region and not empty, have the aspect ratio
// of the model to within a pixel, and a sweep reaches from end to end without gaps.
func TestPartsOfAnySize(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	side := func(most int) int {
		if random.IntN(4) == 0 {
			return 1 + random.IntN(10)
		}
		return 1 + random.IntN(most)
	}
	for range 20_000 {
		size, input := image.Pt(side(65535), side(65535)), image.Pt(side(4096), side(4096))
		for _, fit := range edgelens.Fits() {
			b := showing(fit, input.X, input.Y)
			if random.IntN(2) == 0 {
				x, y := random.Float64()*0.9, random.Float64()*0.9
				b.View.Region = edgelens.Region{X: x, Y: y, Width: (1 - x) * (1 - random.Float64()), Height: (1 - y) * (1 - random.Float64())}
			}
			p, err := partsOf(b, size)
			if err != nil {
				t.Fatal(err)
			}
			left, top, right, bottom := b.View.Region.Pixels(size.X, size.Y)
			region := nonEmpty(image.Rect(left, top, right, bottom), size)
			for _, r := range p.rects[:p.count] {
				if r.Empty() || !r.In(region) {
					t.Fatalf("%s of %v to %v: %v is not in %v", fit, size, input, r, region)
				}
			}
			first, last := p.rects[0], p.rects[p.count-1]
			if p.inner.Empty() || !p.inner.In(image.Rectangle{Max: input}) {
				t.Fatalf("%s of %v to %v: inner %v", fit, size, input, p.inner)
			}
			switch fit {
			case edgelens.FitStretch, edgelens.FitPad:
				if first != region || p.count != 1 {
					t.Fatalf("%s of %v shows %v, not %v", fit, size, first, region)
				}
			default:
				shape := first.Size()
				if wide, high := float64(shape.Y)*float64(input.X)/float64(input.Y), float64(shape.X)*float64(input.Y)/float64(input.X); shape.X > 1 && shape.Y > 1 &&
					abs(wide-float64(shape.X)) > 0.51 && abs(high-float64(shape.Y)) > 0.51 {
					t.Fatalf("%s of %v to %v: %v has another aspect ratio", fit, size, input, first)
				}
				if shape.X != region.Dx() && shape.Y != region.Dy() {
					t.Fatalf("%s of %v to %v: %v is not the largest", fit, region, input, first)
				}
			}
			if fit != edgelens.FitSweep {
				continue
			}
			if first.Min != region.Min || last.Max != region.Max || p.count%2 != 1 || p.count > edgelens.MaxSweep {
				t.Fatalf("sweep of %v to %v: %d from %v to %v", region, input, p.count, first, last)
			}
			for i := 1; i < p.count && p.count < edgelens.MaxSweep; i++ {
				step := p.rects[i].Min.Sub(p.rects[i-1].Min)
				if step.X < 0 || step.Y < 0 || 3*(step.X-1) > 2*first.Dx() || 3*(step.Y-1) > 2*first.Dy() { // within rounding
					t.Fatalf("sweep of %v to %v: %v and %v have less than a third in common", region, input, p.rects[i-1], p.rects[i])
				}
			}
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }

func TestCheckRegion(t *testing.T) {
	for _, test := range []struct {
		region []float64
		size   image.Point
		fine   bool
	}{
		{nil, image.Pt(1, 1), true},
		{[]float64{0, 0, 1, 1}, image.Pt(8, 8), true},
		{[]float64{0, 0, 1, 1}, image.Pt(7, 8), false},
		{[]float64{0.5, 0, 0.5, 1}, image.Pt(16, 8), true},
		{[]float64{0.5, 0, 0.5, 1}, image.Pt(14, 8), false},
		{[]float64{0, 0.9, 1, 0.1}, image.Pt(5000, 60), false},
		{[]float64{0.5, 0, 0.6, 1}, image.Pt(640, 480), false},
	} {
		err := checkRegion(showing(edgelens.FitPad, 9, 9, test.region...).View.Region, test.size)
		if (err == nil) != test.fine || err != nil && !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%v of %v: %v", test.region, test.size, err)
		}
	}
}
