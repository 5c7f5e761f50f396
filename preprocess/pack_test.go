package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"math"
	"testing"

	"edgelens"
	"edgelens/models"
)

// spec returns the input of a model that takes the bytes as they are, or
// floats in [-1, 1].
func spec(width, height, channels int, dtype models.DType) models.InputSpec {
	return must(models.NewInputSpec(models.TensorSpec{
		Shape: []int{1, height, width, channels}, DType: dtype,
	}, nil))
}

// upright rotates an image by its EXIF orientation, by the words of the
// standard: mirror and quarter turns, one after the other.
func upright(img *image.NRGBA, orientation int) *image.NRGBA {
	mirror := func(a *image.NRGBA) *image.NRGBA {
		b := image.NewNRGBA(a.Rect)
		for y := range a.Rect.Dy() {
			for x := range a.Rect.Dx() {
				b.SetNRGBA(a.Rect.Dx()-1-x, y, a.NRGBAAt(x, y))
			}
		}
		return b
	}
	clockwise := func(a *image.NRGBA) *image.NRGBA {
		b := image.NewNRGBA(image.Rect(0, 0, a.Rect.Dy(), a.Rect.Dx()))
		for y := range a.Rect.Dy() {
			for x := range a.Rect.Dx() {
				b.SetNRGBA(a.Rect.Dy()-1-y, x, a.NRGBAAt(x, y))
			}
		}
		return b
	}
	turns := map[int]int{3: 2, 4: 2, 5: 3, 6: 1, 7: 1, 8: 3}[orientation]
	if orientation == 2 || orientation == 4 || orientation == 5 || orientation == 7 {
		img = mirror(img)
	}
	for range turns {
		img = clockwise(img)
	}
	return img
}

// rgbOf returns the colors of an image without alpha, in rows.
func rgbOf(img *image.NRGBA) []byte {
	var out []byte
	for i := 0; i < len(img.Pix); i += 4 {
		out = append(out, img.Pix[i:i+3]...)
	}
	return out
}

func bgrOf(img *image.NRGBA) []byte {
	out := rgbOf(img)
	for i := 0; i < len(out); i += 3 {
		out[i], out[i+2] = out[i+2], out[i]
	}
	return out
}

func TestPackTurnsUpright(t *testing.T) {
	stored := scene(5, 3)
	for orientation := 1; orientation <= 8; orientation++ {
		want := upright(stored, orientation)
		s := spec(want.Rect.Dx(), want.Rect.Dy(), 3, models.Uint8)
		if size := turned(image.Pt(s.Width, s.Height), orientation); size != image.Pt(5, 3) {
			t.Errorf("orientation %d: stored size %v, want 5x3", orientation, size)
		}
		dst := make([]byte, s.Bytes())
		pack(dst, bgrOf(stored), s, orientation, new(tables).of(s))
		if !bytes.Equal(dst, rgbOf(want)) {
			t.Errorf("orientation %d: got %v, want %v", orientation, dst, rgbOf(want))
		}
	}
}

func TestPackElements(t *testing.T) {
	t.Run("float32", func(t *testing.T) {
		s := spec(2, 1, 3, models.Float32)
		dst := make([]byte, s.Bytes())
		pack(dst, []byte{0, 51, 255, 102, 204, 153}, s, 1, new(tables).of(s)) // BGR
		for i, p := range []float64{255, 51, 0, 153, 204, 102} {
			got := math.Float32frombits(binary.NativeEndian.Uint32(dst[4*i:]))
			if want := float32((p - 127.5) / 127.5); got != want {
				t.Errorf("element %d is %v, want %v", i, got, want)
			}
		}
	})
	t.Run("each channel by itself", func(t *testing.T) {
		for _, dtype := range []models.DType{models.Float32, models.Uint8} {
			s := spec(1, 1, 3, dtype)
			s.Mean, s.Std, s.Scale = [3]float64{1, 2, 3}, [3]float64{1, 10, 0.5}, 2
			dst := make([]byte, s.Bytes())
			pack(dst, []byte{43, 82, 101}, s, 1, new(tables).of(s)) // blue, green, red
			for i, want := range []float64{100, 8, 80} {
				got := float64(dst[i]) * s.Scale
				if dtype == models.Float32 {
					got = float64(math.Float32frombits(binary.NativeEndian.Uint32(dst[4*i:])))
				}
				if got != want {
					t.Errorf("%v: element %d is %v, want %v", dtype, i, got, want)
				}
			}
		}
	})
	t.Run("gray int8", func(t *testing.T) {
		s := spec(3, 1, 1, models.Int8)
		dst := make([]byte, s.Bytes())
		pack(dst, []byte{0, 128, 255}, s, 2, new(tables).of(s))
		if want := []byte{127, 0, 0x80}; !bytes.Equal(dst, want) {
			t.Errorf("got %v, want %v", dst, want)
		}
	})
}

func TestCheckSpec(t *testing.T) {
	good := spec(4, 3, 3, models.Uint8)
	tests := map[string]struct {
		change func(*models.InputSpec)
		bytes  int
	}{
		"short buffer":     {func(*models.InputSpec) {}, 35},
		"long buffer":      {func(*models.InputSpec) {}, 37},
		"no buffer":        {func(*models.InputSpec) {}, 0},
		"no dtype":         {func(s *models.InputSpec) { s.DType = models.InvalidDType }, 0},
		"shape disagrees":  {func(s *models.InputSpec) { s.Width = 3 }, 36},
		"two channels":     {func(s *models.InputSpec) { s.Channels, s.Shape = 2, []int{1, 3, 4, 2} }, 24},
		"negative size":    {func(s *models.InputSpec) { s.Width, s.Height, s.Shape = -4, -3, []int{1, -3, -4, 3} }, 36},
		"no std":           {func(s *models.InputSpec) { s.Std[1] = 0 }, 36},
		"mean not finite":  {func(s *models.InputSpec) { s.Mean[2] = math.NaN() }, 36},
		"scale not finite": {func(s *models.InputSpec) { s.Scale = math.Inf(1) }, 36},
	}
	if err := checkSpec(make([]byte, 36), good); err != nil {
		t.Fatalf("a good spec: %v", err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := good
			test.change(&s)
			if err := checkSpec(make([]byte, test.bytes), s); !errors.Is(err, edgelens.ErrModel) {
				t.Errorf("checkSpec() = %v, want ErrModel", err)
			}
		})
	}
}
