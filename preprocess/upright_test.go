//go:build cgo

package preprocess

import (
	"errors"
	"fmt"
	"testing"

	"edgelens"
	"edgelens/models"
)

// A tensor of the upright size has each pixel of the upright image.
func TestUprightSize(t *testing.T) {
	stored := scene(9, 5)
	p := must(New(DefaultConfig()))
	defer p.Close()
	for orientation := 1; orientation <= 8; orientation++ {
		t.Run(fmt.Sprint(orientation), func(t *testing.T) {
			file := withOrientation(t, "png", asPNG(stored), orientation)
			width, height, err := p.UprightSize(file)
			if err != nil {
				t.Fatal(err)
			}
			if lies := orientation >= 5; lies && (width != 5 || height != 9) || !lies && (width != 9 || height != 5) {
				t.Errorf("%d x %d pixels", width, height)
			}
			spec := models.InputSpec{TensorSpec: models.TensorSpec{Shape: []int{1, height, width, 3}, DType: models.Uint8, Scale: 1},
				Normalization: models.Uniform(0, 1), Width: width, Height: height, Channels: 3}
			pixels := make([]byte, spec.Bytes())
			if _, _, err := p.Tensor(pixels, file, spec); err != nil {
				t.Fatal(err)
			}
			walk := uprightWalk(orientation, 9, 5)
			for y := range height {
				for x := range width {
					at := walk.start + x*walk.right + y*walk.down
					want := stored.NRGBAAt(at%9, at/9)
					if got := pixels[3*(y*width+x):][:3]; got[0] != want.R || got[1] != want.G || got[2] != want.B {
						t.Fatalf("pixel %d %d: %v, want %v", x, y, got, want)
					}
				}
			}
		})
	}
	if _, _, err := p.UprightSize([]byte("no image")); !errors.Is(err, edgelens.ErrUnsupportedFormat) {
		t.Errorf("no image: %v", err)
	}
}
