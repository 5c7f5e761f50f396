package preprocess

import (
	"testing"

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
			if got := eighths(h, buffersOf(224, 224), test.margin); got != test.want {
				t.Errorf("at %d/8, want %d/8", got, test.want)
			}
		})
	}
}

// buffersOf returns one for each pair of a width and a height.
func buffersOf(sides ...int) []models.InputBuffer {
	var list []models.InputBuffer
	for i := 0; i < len(sides); i += 2 {
		list = append(list, models.InputBuffer{Spec: models.InputSpec{Width: sides[i], Height: sides[i+1], Channels: 3}})
	}
	return list
}

// Each tensor of a picture gets what it needs, also where it lies on its side.
func TestEighthsSuitEveryTensor(t *testing.T) {
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
			if got := eighths(header{width: 1600, height: 900, orientation: test.orientation}, test.into, 1); got != test.want {
				t.Errorf("at %d/8, want %d/8", got, test.want)
			}
		})
	}
}

// Results of one setting must not be taken for those of another.
func TestVersionNamesTheMargin(t *testing.T) {
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
