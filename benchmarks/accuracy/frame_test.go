package accuracy_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"

	"golang.org/x/image/bmp"

	"edgelens"
	"edgelens/benchmarks/accuracy"
)

func TestParseFrame(t *testing.T) {
	for text, want := range map[string]accuracy.Frame{"as-is": {}, "16:9": {Width: 16, Height: 9}, "2.35:1": {Width: 2.35, Height: 1}, "1:1": {Width: 1, Height: 1}, "8:1": {Width: 8, Height: 1}} {
		got, err := accuracy.ParseFrame(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "16", "16x9", "9:16", "0:0", "-16:-9", "NaN:1", "Inf:1", "9:1", "1:0", "a:b", "16:9:1"} {
		if _, err := accuracy.ParseFrame(text); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPlaceInFrame(t *testing.T) {
	frame := accuracy.Frame{Width: 16, Height: 9}
	for name, tt := range map[string]struct {
		width, height int
		part          image.Rectangle
		size          image.Point
	}{
		"4:3":       {400, 300, image.Rect(0, 0, 400, 300), image.Pt(533, 300)},
		"portrait":  {300, 500, image.Rect(0, 100, 300, 400), image.Pt(533, 300)},
		"the ratio": {160, 90, image.Rect(0, 0, 160, 90), image.Pt(160, 90)},
		"wider":     {1000, 90, image.Rect(420, 0, 580, 90), image.Pt(160, 90)},
		"one pixel": {1, 1, image.Rect(0, 0, 1, 1), image.Pt(2, 1)},
		"a column":  {1, 5000, image.Rect(0, 2499, 1, 2500), image.Pt(2, 1)},
		"a row":     {5000, 1, image.Rect(2499, 0, 2501, 1), image.Pt(2, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			part, size, left := frame.Place(tt.width, tt.height, 1, name)
			if part != tt.part || size != tt.size || left < 0 || left+part.Dx() > size.X {
				t.Errorf("%v in %v at %d, want %v in %v", part, size, left, tt.part, tt.size)
			}
		})
	}
}

// The place depends on seed and name only, and all places are as frequent: the chi-square statistic of 10 bins has 9
// degrees of freedom, and is over 27.9 in one of 1,000 cases.
func TestPlacesAreEvenlyDistributed(t *testing.T) {
	frame := accuracy.Frame{Width: 16, Height: 9}
	const images, places = 10_000, 7111 - 4000 + 1
	for _, seed := range []uint64{1, 2, 3} {
		var counts [10]float64
		others := 0
		for i := range images {
			name := fmt.Sprintf("class/%04d.jpg", i)
			_, _, left := frame.Place(4000, 4000, seed, name)
			_, _, again := frame.Place(4000, 4000, seed, name)
			if _, _, other := frame.Place(4000, 4000, seed+1, name); other != left {
				others++
			}
			if left != again || left < 0 || left >= places {
				t.Fatalf("%d and %d", left, again)
			}
			counts[left*10/places]++
		}
		chi := 0.0
		for _, count := range counts {
			chi += math.Pow(count-images/10, 2) / (images / 10)
		}
		if chi > 27.9 || others < images*9/10 {
			t.Errorf("seed %d: chi-square %.1f of %v; %d places differ with another seed", seed, chi, counts, others)
		}
	}
}

func TestPutInFrame(t *testing.T) {
	pixels := accuracy.Pixels{Width: 2, Height: 4} // the middle square has the levels 2 to 5
	for level := range byte(8) {
		pixels.RGB = append(pixels.RGB, level, 10*level, 100)
	}
	frame := accuracy.Frame{Width: 4, Height: 1}
	data, err := frame.Put(pixels, 1, "a.jpg")
	if err != nil {
		t.Fatal(err)
	}
	got, err := bmp.Decode(bytes.NewReader(data))
	if err != nil || got.Bounds() != image.Rect(0, 0, 8, 2) {
		t.Fatal(got.Bounds(), err)
	}
	_, _, left := frame.Place(2, 4, 1, "a.jpg")
	for y := range 2 {
		for x := range 8 {
			want := color.RGBA{128, 128, 128, 255}
			if x >= left && x < left+2 {
				level := uint8(2 + 2*y + x - left)
				want = color.RGBA{level, 10 * level, 100, 255}
			}
			if color.RGBAModel.Convert(got.At(x, y)) != want {
				t.Errorf("pixel %d %d: %v, want %v", x, y, got.At(x, y), want)
			}
		}
	}
}
