//go:build cgo

package app

import (
	"encoding/binary"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/preprocess"
)

// offline answers without the service: parts are cut out by Go, and go through the model one
// by one.
type offline struct {
	t            *testing.T
	preprocessor *preprocess.Preprocessor
	interpreter  inference.Interpreter
	spec         *models.Spec
}

func newOffline(t *testing.T, core *Core) *offline {
	t.Helper()
	spec, interpreter := newInterpreter(t, core)
	return &offline{t, core.preprocessor, interpreter, spec}
}

// pixels decodes an image at its own size.
func (o *offline) pixels(file []byte) *bitmap {
	o.t.Helper()
	width, height, err := o.preprocessor.UprightSize(file)
	if err != nil {
		o.t.Fatal(err)
	}
	spec, err := models.NewInputSpec(models.TensorSpec{Shape: []int{1, height, width, 3}, DType: models.Uint8}, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	rgb := make([]byte, spec.Bytes())
	if _, _, err := o.preprocessor.Tensor(rgb, file, spec); err != nil {
		o.t.Fatal(err)
	}
	return &bitmap{rgb, width, height}
}

// bitmap has three bytes a pixel, row by row.
type bitmap struct {
	rgb           []byte
	width, height int
}

func (p *bitmap) size() image.Point { return image.Pt(p.width, p.height) }

// bmp is a part of it as an uncompressed file. That it is written here, and not by a library, spares the race
// detector every single byte: it belongs to one goroutine.
//
//go:norace
func (p *bitmap) bmp(part image.Rectangle) []byte {
	const header = 14 + 40
	stride := (3*part.Dx() + 3) / 4 * 4
	file := make([]byte, header+stride*part.Dy())
	copy(file, "BM")
	binary.LittleEndian.PutUint32(file[2:], uint32(len(file)))
	binary.LittleEndian.PutUint32(file[10:], header)
	binary.LittleEndian.PutUint32(file[14:], 40)
	binary.LittleEndian.PutUint32(file[18:], uint32(part.Dx()))
	binary.LittleEndian.PutUint32(file[22:], uint32(part.Dy()))
	binary.LittleEndian.PutUint16(file[26:], 1)  // plane
	binary.LittleEndian.PutUint16(file[28:], 24) // bits
	for y := range part.Dy() {                   // from the bottom, blue first
		row := p.rgb[3*((part.Max.Y-1-y)*p.width+part.Min.X):]
		to := file[header+y*stride:]
		for x := range part.Dx() {
			to[3*x], to[3*x+1], to[3*x+2] = row[3*x+2], row[3*x+1], row[3*x]
		}
	}
	return file
}

// scores are those of a part of an image.
func (o *offline) scores(img *bitmap, part image.Rectangle) []float64 {
	o.t.Helper()
	tensor, err := o.interpreter.InputTensor()
	if err != nil {
		o.t.Fatal(err)
	}
	if _, _, err := o.preprocessor.Tensor(tensor, img.bmp(part), o.spec.Input); err != nil {
		o.t.Fatal(err)
	}
	raw := make([]byte, o.spec.Output.Bytes())
	if err := o.interpreter.Invoke(); err != nil {
		o.t.Fatal(err)
	}
	if err := o.interpreter.ReadOutput(raw); err != nil {
		o.t.Fatal(err)
	}
	scores := make([]float64, len(raw))
	for i, q := range raw {
		scores[i] = o.spec.Output.Scale * (float64(q) - float64(o.spec.Output.ZeroPoint))
	}
	return scores
}

// squares are the parts that a fit shows to a model with a square input.
func squares(fit edgelens.Fit, size image.Point) []image.Rectangle {
	side := min(size.X, size.Y)
	square := func(share float64) image.Rectangle {
		at := image.Pt(int(math.Round(share*float64(size.X-side))), int(math.Round(share*float64(size.Y-side))))
		return image.Rect(0, 0, side, side).Add(at)
	}
	switch fit {
	case edgelens.FitCenter:
		at := size.Sub(image.Pt(side, side)).Div(2)
		return []image.Rectangle{image.Rect(0, 0, side, side).Add(at)}
	case edgelens.FitSweep:
		if size.X == size.Y {
			return []image.Rectangle{square(0)}
		}
		return []image.Rectangle{square(0), square(0.5), square(1)} // no image here is wider than 7:3
	}
	return []image.Rectangle{{Max: size}}
}

// Every answer of the API about labeled images is that of a path which shares no code of
// recognition with it, image by image.
func TestAnswersEqualOfflinePath(t *testing.T) {
	folder := testutil.Shared(t, "labelled")
	files, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
	if err != nil || len(files) == 0 {
		t.Skipf("%s has no images", folder)
	}
	c := settings(t)
	withShared(t, c)
	s := start(t, c)
	o := newOffline(t, s.core)
	for i, name := range testutil.EveryNth(t, 4, files) {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		img := o.pixels(file)
		for _, fit := range []edgelens.Fit{edgelens.FitCenter, edgelens.FitStretch, edgelens.FitSweep} {
			if fit != edgelens.FitCenter && i%4 != 0 {
				continue // a part of them, for time
			}
			parts := squares(fit, img.size())
			mean := make([]float64, o.spec.Output.Elements())
			for _, part := range parts {
				for class, score := range o.scores(img, part) {
					mean[class] += score / float64(len(parts))
				}
			}
			a := s.raw(path+"?fit="+string(fit), file)
			if a.status != 200 || a.View.Count != len(parts) {
				t.Fatalf("%s, %s: %d %s, want %d parts", filepath.Base(name), fit, a.status, a.body, len(parts))
			}
			if best := slices.Index(mean, slices.Max(mean)); a.top() != best {
				t.Errorf("%s, %s: class %d is on top, want %d", filepath.Base(name), fit, a.top(), best)
			}
			if a.Image.Width != img.width {
				continue // the service turns it after it is resized, which rounds some pixels to the next value
			}
			for _, p := range a.Predictions {
				if math.Abs(p.Probability-mean[p.ClassID]) > 1e-6 {
					t.Errorf("%s, %s: class %d has %v, want %v", filepath.Base(name), fit, p.ClassID, p.Probability, mean[p.ClassID])
				}
			}
		}
	}
}
