package edgelens_test

import (
	"errors"
	"math"
	"testing"

	"edgelens"
)

func region(x, y, width, height float64) edgelens.Region {
	return edgelens.Region{X: x, Y: y, Width: width, Height: height}
}

func TestFitCheck(t *testing.T) {
	for _, fit := range append(edgelens.Fits(), "") {
		if err := fit.Check(); err != nil {
			t.Errorf("%q: %v", fit, err)
		}
	}
	for _, fit := range []edgelens.Fit{"Center", "crop", " ", "center ", "contain"} {
		if err := fit.Check(); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%q: %v, want an ErrInvalid", fit, err)
		}
	}
}

func TestRegionCheck(t *testing.T) {
	for _, r := range []edgelens.Region{{}, region(0, 0, 1, 1), region(0.7, 0, 0.3, 1), region(0.1, 0.2, 0.3, 0.4), region(0.9, 0.9, 0.1, 0.1)} {
		if err := r.Check(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	nan, infinite := math.NaN(), math.Inf(1)
	for _, r := range []edgelens.Region{
		region(nan, 0, 1, 1), region(0, nan, 1, 1), region(0, 0, nan, 1), region(0, 0, 1, nan), region(-0.1, 0, 0.5, 0.5), region(0, -0.1, 0.5, 0.5),
		region(0, 0, 0, 1), region(0, 0, 1, 0), region(0, 0, -1, 1), region(0, 0, 1e9, 1), region(1e9, 0, 0.1, 0.1), region(0.5, 0, 0.6, 1), region(0, 0.5, 1, 0.6),
		region(0, 0, infinite, 1), region(1, 0, 0.1, 1), region(0, 0, 1.001, 1), region(-infinite, 0, infinite, 1),
	} {
		if err := r.Check(); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%+v: %v, want an ErrInvalid", r, err)
		}
	}
}

func TestParseRegion(t *testing.T) {
	for text, want := range map[string]edgelens.Region{
		"": {}, "0.25,0,0.5,1": region(0.25, 0, 0.5, 1), " 0.1, 0.2 ,0.3,0.4": region(0.1, 0.2, 0.3, 0.4), "0,0,1,1": region(0, 0, 1, 1), "1e-1,0,5e-1,1": region(0.1, 0, 0.5, 1),
	} {
		got, err := edgelens.ParseRegion(text)
		if got != want || err != nil {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
		again, err := edgelens.ParseRegion(got.String())
		if again != want || err != nil {
			t.Errorf("%q printed as %q: %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"0.25,0,0.5", "0,0,1,1,1", "a,b,c,d", "0.5", "NaN,0,1,1", "0,0,Inf,1", "0,0,0,0", "0,0,1e9,1", "0;0;1;1", ",,,", "50%,0,1,1", "0,0,2,2", "0,0,1.0000000001,1", "0x1p-1,0,0.5,1"} {
		if r, err := edgelens.ParseRegion(text); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%q: %+v, %v, want an ErrInvalid", text, r, err)
		}
	}
}

func TestRegionPixels(t *testing.T) {
	for _, c := range []struct {
		region        edgelens.Region
		width, height int
		want          [4]int
	}{
		{edgelens.Region{}, 640, 480, [4]int{0, 0, 640, 480}},
		{region(0.25, 0.5, 0.5, 0.25), 640, 480, [4]int{160, 240, 480, 360}},
		{region(0.7, 0, 0.3, 1), 10, 3, [4]int{7, 0, 10, 3}},
		{region(0.5, 0.5, 0.0001, 0.0001), 100, 100, [4]int{50, 50, 50, 50}},
	} {
		left, top, right, bottom := c.region.Pixels(c.width, c.height)
		if got := [4]int{left, top, right, bottom}; got != c.want {
			t.Errorf("%v of %dx%d: %v, want %v", c.region, c.width, c.height, got, c.want)
		}
	}
}

func TestViewOr(t *testing.T) {
	gate := region(0, 0, 0.5, 1)
	sweep := edgelens.View{Fit: edgelens.FitSweep}
	if got := sweep.Or(edgelens.View{Fit: edgelens.FitPad, Region: gate}); got != (edgelens.View{Fit: edgelens.FitSweep, Region: gate}) {
		t.Errorf("a fit of its own and another's region: %+v", got)
	}
	if got := (edgelens.View{}).Or(sweep); got != sweep {
		t.Errorf("nothing of its own: %+v", got)
	}
}

func FuzzParseRegion(f *testing.F) {
	for _, text := range []string{"", "0.25,0,0.5,1", "0,0,1,1", "NaN,0,1,1", "1e-300,0,1,1", "0,0,1e9,1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := edgelens.ParseRegion(text)
		if err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := edgelens.ParseRegion(r.String()); again != r || err != nil {
			t.Fatalf("%q is %+v, printed and read %+v, %v", text, r, again, err)
		}
		for _, n := range []int{1, 7, 640, 65535} {
			if left, top, right, bottom := r.Pixels(n, n); left < 0 || top < 0 || right > n || bottom > n || left > right || top > bottom {
				t.Fatalf("%q in %d pixels: %d %d %d %d", text, n, left, top, right, bottom)
			}
		}
	})
}
