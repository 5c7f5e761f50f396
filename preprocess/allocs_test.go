//go:build cgo && !matprofile

package preprocess

import (
	"testing"

	"edgelens/models"
)

// One call allocates nothing in Go: gocv's structures stay on the stack
// or in C. (With matprofile gocv records every Mat in Go, which does
// allocate.)
func TestTensorAllocations(t *testing.T) {
	p := newReducing(t, 1)
	s := spec(224, 224, 3, models.Uint8)
	dst := make([]byte, s.Bytes())
	for name, file := range map[string][]byte{"bmp": asBMP(scene(512, 384)), "jpeg": asJPEG(scene(640, 480))} {
		n := testing.AllocsPerRun(20, func() {
			if _, _, err := p.Tensor(dst, file, s); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations in Go", name, n)
		}
	}
}
