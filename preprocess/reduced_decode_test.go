//go:build cgo

package preprocess

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"gocv.io/x/gocv"

	"edgelens"
	"edgelens/models"
)

func newReducing(t testing.TB, margin float64) *Preprocessor {
	t.Helper()
	c := DefaultConfig()
	c.ReduceJPEG = margin
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// smooth draws an image without symmetry that looks alike at every size.
func smooth(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(height)
			img.SetNRGBA(x, y, color.NRGBA{uint8(255 * u), uint8(255 * v * v), uint8(127.5 + 120*math.Sin(4*u*v)), 255})
		}
	}
	return img
}

// OpenCV has the same sizes, by libjpeg-turbo, too.
func TestReducedPixelsEqualOpenCV(t *testing.T) {
	flags := map[int]gocv.IMReadFlag{4: gocv.IMReadReducedColor2, 2: gocv.IMReadReducedColor4, 1: gocv.IMReadReducedColor8}
	for name, file := range jpegKinds(t, 131, 77) {
		t.Run(name, func(t *testing.T) {
			h, err := inspect(file, DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			buffer := soiled(t)
			for _, size := range reducedSizes {
				ours, _, err := decodeJPEG(buffer, h, size, wholeOf(h, size))
				if err != nil {
					t.Fatalf("at %d/8 it is not decoded: %v", size, err)
				}
				theirs := gocv.NewMat()
				if err := gocv.IMDecodeIntoMat(file, flags[size]|gocv.IMReadIgnoreOrientation, &theirs); err != nil {
					t.Fatal(err)
				}
				if ours.width != theirs.Cols() || ours.height != theirs.Rows() {
					t.Errorf("at %d/8 it is %dx%d, OpenCV's is %dx%d", size, ours.width, ours.height, theirs.Cols(), theirs.Rows())
				} else if !bytes.Equal(ours.bgr, must(theirs.DataPtrUint8())) {
					t.Errorf("at %d/8 it has other pixels than OpenCV's", size)
				}
				ours.free()
				theirs.Close()
			}
		})
	}
}

// A reduced image is close to the full one, in any orientation, and reports
// its full size. Measured: 1.02 at most, at an eighth.
func TestReducedTensorIsNearFull(t *testing.T) {
	full, reducing := newPreprocessor(t), newReducing(t, 1)
	s := spec(64, 48, 3, models.Uint8)
	for _, size := range []image.Point{{130, 96}, {301, 256}, {1031, 777}} {
		upright := asJPEG(smooth(size.X, size.Y))
		for orientation := 1; orientation <= 8; orientation++ {
			file := withOrientation(t, "jpeg", upright, orientation)
			got := tensor(t, reducing, file, s)
			if mean, _ := difference(got, tensor(t, full, file, s)); mean > 1.5 {
				t.Errorf("%v, orientation %d: differs by %.2f in the mean", size, orientation, mean)
			}
			info, _, err := reducing.Tensor(got, file, s)
			if want := (edgelens.ImageInfo{Width: size.X, Height: size.Y, Format: "jpeg"}); info != want || err != nil {
				t.Errorf("%v, orientation %d: reported as %+v, %v", size, orientation, info, err)
			}
		}
	}
}

// An image with fine detail shows that the setting has an effect; images that are not
// JPEGs, or not large enough, are not affected.
func TestReducedDecodeChangesLargeJPEGsOnly(t *testing.T) {
	full, reducing := newPreprocessor(t), newReducing(t, 2)
	if full.Version() != Version || reducing.Version() == Version {
		t.Errorf("versions %q and %q", full.Version(), reducing.Version())
	}
	s := spec(64, 48, 3, models.Uint8)
	for name, test := range map[string]struct {
		file    []byte
		changed bool
	}{
		"large jpeg":              {asJPEG(scene(400, 300)), true},
		"jpeg of twice the input": {asJPEG(scene(128, 96)), false},
		"jpeg smaller than that":  {asJPEG(scene(60, 40)), false},
		"large png":               {asPNG(scene(400, 300)), false},
		"large jpeg, CMYK":        {cmykJPEG(t, 400, 300), true},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := make([]byte, s.Bytes()), make([]byte, s.Bytes())
			_, _, errA := full.Tensor(a, test.file, s)
			_, _, errB := reducing.Tensor(b, test.file, s)
			if bytes.Equal(a, b) == test.changed || (errA == nil) != (errB == nil) {
				t.Errorf("another tensor: %v, want %v; errors %v and %v", !bytes.Equal(a, b), test.changed, errA, errB)
			}
		})
	}
}

// agree fails if only one of two preprocessors accepts a file, or if their errors
// differ.
func agree(t *testing.T, a, b *Preprocessor, file []byte, s models.InputSpec) (decoded bool) {
	t.Helper()
	infoA, _, errA := a.Tensor(make([]byte, s.Bytes()), file, s)
	infoB, _, errB := b.Tensor(make([]byte, s.Bytes()), file, s)
	if infoA != infoB || (errA == nil) != (errB == nil) || errA != nil && errA.Error() != errB.Error() {
		t.Errorf("in full %+v, %v; reduced %+v, %v", infoA, errA, infoB, errB)
	}
	return errA == nil
}

// A damaged JPEG is rejected reduced if it is in full, and else decoded.
func TestReducedDecodeRejectsSameFiles(t *testing.T) {
	full, reducing := newPreprocessor(t), newReducing(t, 1)
	s := spec(7, 5, 3, models.Uint8)
	for name, r := range allRefusals() {
		if r.limits == DefaultConfig() && agree(t, full, reducing, r.file, s) {
			t.Errorf("%s: it was decoded", name)
		}
	}
	for name, file := range brokenInside() {
		if agree(t, full, reducing, file, s) {
			t.Errorf("%s: it was decoded", name)
		}
	}
	for name, file := range jpegKinds(t, 131, 77) {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(2, uint64(len(file))))
			decoded := 0
			for range 100 {
				damaged := bytes.Clone(file)
				for range 1 + random.IntN(3) {
					damaged[2+random.IntN(len(damaged)-2)] = byte(random.Uint32())
				}
				if agree(t, full, reducing, damaged, s) {
					decoded++
				}
			}
			if decoded == 0 || decoded == 100 {
				t.Errorf("%d of 100 damaged ones are decoded", decoded)
			}
		})
	}
}

// The limits apply to the image in the file, not to its decoded size.
func TestReducedDecodeEnforcesLimits(t *testing.T) {
	c := DefaultConfig()
	c.ReduceJPEG, c.MaxPixels = 1, 100*100-1
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := spec(5, 5, 3, models.Uint8)
	if _, _, err := p.Tensor(make([]byte, s.Bytes()), asJPEG(scene(100, 100)), s); !errors.Is(err, edgelens.ErrBadImage) {
		t.Errorf("over the limit: %v", err)
	}
}
