package preprocess

import (
	"testing"

	"edgelens"
	"edgelens/models"
)

func TestEighths(t *testing.T) {
	tests := map[string]struct {
		width, height int // of the JPEG
		margin        float64
		want          int
	}{
		"off":                               {8000, 8000, 0, 8},
		"smaller than the model's input":    {200, 200, 1, 8},
		"as large":                          {224, 224, 1, 8},
		"not twice as large":                {446, 446, 1, 8},
		"twice as large":                    {448, 448, 1, 4},
		"twice as large, as libjpeg rounds": {447, 447, 1, 4},
		"one side too short":                {4000, 300, 1, 8},
		"a fourth":                          {1280, 896, 1, 2},
		"an eighth":                         {1920, 1792, 1, 1},
		"the smallest there is":             {9000, 9000, 1, 1},
		"half by a wider margin":            {1280, 896, 2, 4},
		"in full by a wider margin":         {1280, 720, 2, 8},
		"a margin between":                  {1280, 720, 1.5, 4},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := header{width: test.width, height: test.height, orientation: 1}
			if got := eighths(h, buffersOf(224, 224), test.margin, 0); got != test.want {
				t.Errorf("at %d/8, want %d/8", got, test.want)
			}
		})
	}
}

// buffersOf returns one for each pair of a width and a height.
func buffersOf(sides ...int) []models.InputBuffer {
	var list []models.InputBuffer
	for i := 0; i < len(sides); i += 2 {
		list = append(list, showing(edgelens.FitStretch, sides[i], sides[i+1]))
	}
	return list
}

// Each tensor of an image gets the size it needs, also for rotated images.
func TestEighthsFitEveryTensor(t *testing.T) {
	for name, test := range map[string]struct {
		orientation int
		into        []models.InputBuffer
		want        int
	}{
		"small":                     {1, buffersOf(96, 96), 1},
		"small, then large":         {1, buffersOf(96, 96, 224, 224), 2},
		"large, then small":         {1, buffersOf(224, 224, 96, 96), 2},
		"wide, then high":           {1, buffersOf(400, 50, 50, 400), 4},
		"wide":                      {1, buffersOf(200, 100), 1},
		"wide, lying on its side":   {6, buffersOf(200, 100), 2},
		"larger than what is there": {1, buffersOf(96, 96, 2000, 2000), 8},
	} {
		t.Run(name, func(t *testing.T) {
			if got := eighths(header{width: 1600, height: 900, orientation: test.orientation}, test.into, 1, 0); got != test.want {
				t.Errorf("at %d/8, want %d/8", got, test.want)
			}
		})
	}
}

// Results of different settings must not be confused.
func TestVersionContainsMargin(t *testing.T) {
	seen := map[string]float64{}
	for _, margin := range []float64{0, 1, 1.5, 2, 15, 64} {
		c := DefaultConfig()
		c.ReduceJPEG = margin
		if other, ok := seen[c.version()]; ok {
			t.Errorf("%v and %v have the version %q", margin, other, c.version())
		}
		seen[c.version()] = margin
	}
	if _, ok := seen[Version]; !ok {
		t.Errorf("in full it is not %q, so what is cached is lost", Version)
	}
}

// A JPEG that would take too much memory is decoded smaller; the memory of a
// progressive one's coefficients counts, too.
func TestEighthsFitMemoryLimit(t *testing.T) {
	for name, test := range map[string]struct {
		h      header
		memory int64
		want   int
	}{
		"no limit":               {header{width: 20_000, height: 12_000, channels: 3}, 0, 8},
		"fits":                   {header{width: 8000, height: 6000, channels: 3}, 144_000_000, 8},
		"a byte too much":        {header{width: 8000, height: 6000, channels: 3}, 143_999_999, 4},
		"a fourth":               {header{width: 8000, height: 6000, channels: 3}, 10_000_000, 2},
		"four components":        {header{width: 8000, height: 6000, channels: 4}, 150_000_000, 4},
		"coefficients":           {header{width: 8000, height: 6000, channels: 3, fixed: 100_000_000}, 144_000_000, 4},
		"not even an eighth":     {header{width: 8000, height: 6000, channels: 3}, 1000, 1},
		"a margin, and too much": {header{width: 8000, height: 6000, channels: 3}, 1_000_000_000, 1},
	} {
		t.Run(name, func(t *testing.T) {
			margin := 0.0
			if name == "a margin, and too much" {
				margin = 1
			}
			test.h.orientation = 1
			if got := eighths(test.h, buffersOf(224, 224), margin, test.memory); got != test.want {
				t.Errorf("at %d/8, want %d/8", got, test.want)
			}
		})
	}
}

// Phones of 64, 108 and 200 megapixels are within the default memory, as the JPEGs that they
// write, and 44 megapixels and more in every other coding but TIFF.
func TestDefaultMemoryFitsCameras(t *testing.T) {
	limits := DefaultConfig()
	coefficients := func(width, height int64) int64 { return 64 * 3 * ceilDiv(width, 8) * ceilDiv(height, 8) } // colors at half resolution
	for name, h := range map[string]header{
		"jpeg":                    {format: "jpeg", width: 16320, height: 12240, channels: 3},
		"jpeg, CMYK":              {format: "jpeg", width: 16320, height: 12240, channels: 4},
		"jpeg, progressive 4:2:0": {format: "jpeg", width: 9248, height: 6944, channels: 3, fixed: coefficients(9248, 6944)},
		"png":                     {format: "png", width: 9248, height: 6944, channels: 4},
		"webp":                    {format: "webp", width: 8320, height: 6240, channels: 3, fixed: 4 * 8320 * 6240},
		"webp, alpha":             {format: "webp", width: 7680, height: 5760, channels: 4, fixed: 4 * 7680 * 5760},
		"bmp":                     {format: "bmp", width: 9248, height: 6944, channels: 4},
		"gif":                     {format: "gif", width: 9248, height: 6944, channels: 3, fixed: 2 * 9248 * 6944},
	} {
		if err := limits.allowMemory(h); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := limits.allow(h.format, int64(h.width), int64(h.height)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
