//go:build cgo && matprofile

package preprocess

import (
	"bytes"
	"sync"
	"testing"

	"gocv.io/x/gocv"

	"edgelens/models"
)

// Every Mat is closed: after valid images, rejected ones, ones
// that fail in the decoder, and a Close during calls.
func TestMatsAreClosed(t *testing.T) {
	before := gocv.MatProfile.Count()
	p, err := New(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	files := [][]byte{nil, asPNG(scene(64, 48)), asJPEG(scene(90, 60)), asBMP(scene(3, 300))}
	for _, file := range brokenInside() {
		files = append(files, file)
	}
	for _, s := range []models.InputSpec{spec(20, 10, 3, models.Uint8), spec(64, 48, 1, models.Float32)} {
		for _, file := range files {
			p.Tensor(make([]byte, s.Bytes()), file, s)
		}
	}
	if n := gocv.MatProfile.Count(); n == before {
		t.Error("no scratch is kept between calls")
	}
	var wg sync.WaitGroup
	for range 2 * maxScratch { // more at once than are kept
		wg.Go(func() {
			s := spec(20, 10, 3, models.Uint8)
			for i := 0; ; i++ {
				if _, _, err := p.Tensor(make([]byte, s.Bytes()), files[1+i%3], s); err != nil {
					return
				}
				if i == 20 {
					p.Close()
				}
			}
		})
	}
	wg.Wait()
	p.Close()
	if n := gocv.MatProfile.Count(); n != before {
		var w bytes.Buffer
		gocv.MatProfile.WriteTo(&w, 1)
		t.Errorf("%d Mats are open, %d were before:\n%s", n, before, w.String())
	}
}
