//go:build cgo

package preprocess

import (
	"bytes"
	"errors"
	"image"
	"image/draw"
	"math/rand/v2"
	"testing"

	"edgelens"
	"edgelens/models"
)

// shown preprocesses a file that must be good, and returns the tensors of its parts.
func shown(t testing.TB, p *Preprocessor, file []byte, s models.InputSpec, view edgelens.View) [][]byte {
	t.Helper()
	dst := bytes.Repeat([]byte{0xA5}, s.Bytes())
	filled, err := p.Tensors(file, models.InputBuffer{Spec: s, View: view, Bytes: dst})
	if err != nil {
		t.Fatal(err)
	}
	if filled.View.View != view || filled.View.Count != 1+len(filled.More) {
		t.Errorf("it reports %+v for %+v and %d tensors", filled.View, view, 1+len(filled.More))
	}
	return append([][]byte{dst}, filled.More...)
}

func cropped(img *image.NRGBA, r image.Rectangle) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, r.Dx(), r.Dy()))
	draw.Draw(out, out.Rect, img, r.Min, draw.Src)
	return out
}

// A part's tensor is that of an image which is only the part, for every orientation: the
// pixels around it have no influence.
func TestPartsAreCrops(t *testing.T) {
	p := newPreprocessor(t)
	stored := scene(70, 46)
	s := spec(24, 20, 3, models.Uint8)
	for orientation := 1; orientation <= 8; orientation++ {
		file := asPNG(stored)
		if orientation > 1 {
			file = withOrientation(t, "png", file, orientation)
		}
		seen := upright(stored, orientation)
		for _, fit := range []edgelens.Fit{edgelens.FitStretch, edgelens.FitCenter, edgelens.FitSweep} {
			for _, region := range [][]float64{nil, {0.25, 0.125, 0.5, 0.75}, {0.6, 0.5, 0.4, 0.5}, {0, 0, 0.3, 0.3}} {
				b := showing(fit, 24, 20, region...)
				want, err := partsOf(b, seen.Rect.Size())
				if err != nil {
					t.Fatal(err)
				}
				got := shown(t, p, file, s, b.View)
				if len(got) != want.count {
					t.Fatalf("orientation %d, %+v: %d parts, want %d", orientation, b.View, len(got), want.count)
				}
				for i := range got {
					// Turned back before it is resized: resizing rounds in the order of stored pixels.
					part := asPNG(cropped(stored, storedRect(want.rects[i], seen.Rect.Size(), orientation)))
					if orientation > 1 {
						part = withOrientation(t, "png", part, orientation)
					}
					if !bytes.Equal(got[i], tensor(t, p, part, s)) {
						t.Errorf("orientation %d, %+v: part %d is not %v", orientation, b.View, i, want.rects[i])
					}
				}
			}
		}
	}
}

// storedRect finds the pixels of an upright rectangle.
func TestStoredRect(t *testing.T) {
	stored := scene(13, 9)
	for orientation := 1; orientation <= 8; orientation++ {
		seen := upright(stored, orientation)
		for _, r := range []image.Rectangle{seen.Rect, image.Rect(1, 2, 5, 9), image.Rect(0, 0, 1, 1), image.Rect(6, 3, 9, 4)} {
			part := cropped(stored, storedRect(r, seen.Rect.Size(), orientation))
			if !bytes.Equal(upright(part, orientation).Pix, cropped(seen, r).Pix) {
				t.Errorf("orientation %d: %v is elsewhere", orientation, r)
			}
		}
	}
}

// Padding is gray, in every dtype, and what was in the memory before is overwritten.
func TestPad(t *testing.T) {
	p := newPreprocessor(t)
	pad := edgelens.View{Fit: edgelens.FitPad}
	for orientation, want := range map[int]image.Rectangle{1: image.Rect(0, 5, 20, 15), 6: image.Rect(5, 0, 15, 20)} {
		file := asPNG(scene(60, 30))
		if orientation > 1 {
			file = withOrientation(t, "png", file, orientation)
		}
		got := shown(t, p, file, spec(20, 20, 3, models.Uint8), pad)[0]
		inside := tensor(t, p, file, spec(want.Dx(), want.Dy(), 3, models.Uint8))
		for y := range 20 {
			for x := range 20 {
				expected := []byte{padding, padding, padding}
				if at := image.Pt(x, y); at.In(want) {
					at = at.Sub(want.Min)
					expected = inside[3*(at.Y*want.Dx()+at.X):][:3]
				}
				if pixel := got[3*(20*y+x):][:3]; !bytes.Equal(pixel, expected) {
					t.Fatalf("orientation %d: pixel %d,%d is %v, want %v", orientation, x, y, pixel, expected)
				}
			}
		}
	}
	gray := shown(t, p, asPNG(scene(60, 30)), spec(20, 20, 1, models.Uint8), pad)[0]
	if gray[0] != padding || gray[399] != padding {
		t.Errorf("the bars of a gray tensor are %d and %d", gray[0], gray[399])
	}
}

// Pad, then another image of another size: no bar or pixel of the first is left.
func TestViewsLeaveNothingBehind(t *testing.T) {
	files := [][]byte{asPNG(scene(60, 30)), asPNG(scene(30, 60)), asJPEG(scene(90, 91)), asPNG(scene(20, 20))}
	s := spec(20, 20, 3, models.Uint8)
	p, random := newPreprocessor(t), rand.New(rand.NewPCG(1, 2))
	for range 300 {
		file, fit := files[random.IntN(len(files))], edgelens.Fits()[random.IntN(4)]
		got := shown(t, p, file, s, edgelens.View{Fit: fit})
		want := shown(t, newPreprocessor(t), file, s, edgelens.View{Fit: fit})
		if len(got) != len(want) || !bytes.Equal(bytes.Join(got, nil), bytes.Join(want, nil)) {
			t.Fatalf("%s: the tensor depends on the images before", fit)
		}
	}
}

// Images of one row or one column have an answer by every fit, of a bounded number of
// parts.
func TestLongAndThin(t *testing.T) {
	p := newPreprocessor(t)
	for _, img := range []*image.NRGBA{scene(5000, 1), scene(1, 5000), scene(1, 1)} {
		for _, fit := range edgelens.Fits() {
			if got := shown(t, p, asPNG(img), spec(32, 32, 3, models.Uint8), edgelens.View{Fit: fit}); len(got) > edgelens.MaxSweep {
				t.Errorf("%s of %v: %d parts", fit, img.Rect.Max, len(got))
			}
		}
	}
}

func TestTensorsRejectViews(t *testing.T) {
	p := newPreprocessor(t)
	s := spec(8, 8, 3, models.Uint8)
	file := asPNG(scene(64, 48))
	buffer := func(v edgelens.View) models.InputBuffer {
		return models.InputBuffer{Spec: s, View: v, Bytes: make([]byte, s.Bytes())}
	}
	region := func(x, y, w, h float64) edgelens.View {
		return edgelens.View{Fit: edgelens.FitCenter, Region: edgelens.Region{X: x, Y: y, Width: w, Height: h}}
	}
	for name, test := range map[string]struct {
		into []models.InputBuffer
		want error
	}{
		"seven pixels high":     {[]models.InputBuffer{buffer(region(0, 0, 1, 0.145))}, edgelens.ErrInvalid},
		"outside":               {[]models.InputBuffer{buffer(region(0.5, 0, 1, 1))}, edgelens.ErrInvalid},
		"negative":              {[]models.InputBuffer{buffer(region(-1, 0, 1, 1))}, edgelens.ErrInvalid},
		"the second, too small": {[]models.InputBuffer{buffer(region(0, 0, 1, 1)), buffer(region(0, 0, 0.1, 1))}, edgelens.ErrInvalid},
		"no fit":                {[]models.InputBuffer{buffer(edgelens.View{})}, edgelens.ErrModel},
		"a second sweep":        {[]models.InputBuffer{buffer(stretch), buffer(edgelens.View{Fit: edgelens.FitSweep})}, edgelens.ErrModel},
	} {
		if filled, err := p.Tensors(file, test.into...); !errors.Is(err, test.want) || filled.Image.Width != 0 {
			t.Errorf("%s: %+v, %v, want %v", name, filled, err, test.want)
		}
	}
}
