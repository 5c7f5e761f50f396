//go:build cgo

package preprocess

import (
	"fmt"
	"image"
	"slices"
	"testing"
	"time"
)

// BenchmarkDecoders decodes each JPEG by OpenCV, by libjpeg-turbo and by libjpeg-turbo
// at every size, and resizes it to 224x224: in turn, so that a disturbance
// affects all. It reports the median of each in ms, and how many times faster
// than OpenCV libjpeg-turbo is in full ("x-opencv"), with the same pixels.
func BenchmarkDecoders(b *testing.B) {
	oneThread()
	for name, file := range benchFiles(b) {
		h, err := inspect(file, DefaultConfig())
		if err != nil {
			b.Fatal(err)
		}
		if h.format != "jpeg" {
			continue
		}
		b.Run(name, func(b *testing.B) {
			s := newScratch()
			defer s.close()
			const opencv = 0 // the others are at their size in eighths
			var took [fullSize + 1][]time.Duration
			for b.Loop() {
				for way := range took {
					begin := time.Now()
					var r raster
					if way == opencv {
						r, err = decodeByOpenCV(file, h, bgrColor{255, 255, 255})
					} else {
						r, _, err = decodeJPEG(&s.pixels, h, way, wholeOf(h, way))
					}
					if err != nil {
						b.Fatal(err)
					}
					mat, input := must(r.mat()), image.Rect(0, 0, 224, 224)
					_, err = s.resize(mat, cut{part: image.Rect(0, 0, mat.Cols(), mat.Rows()), inner: input, size: input.Max, channels: 3})
					mat.Close()
					r.free()
					if err != nil {
						b.Fatal(err)
					}
					took[way] = append(took[way], time.Since(begin))
				}
			}
			median := func(way int) float64 {
				slices.Sort(took[way])
				return took[way][len(took[way])/2].Seconds() * 1000
			}
			b.ReportMetric(median(opencv), "ms-opencv")
			for size := 1; size <= fullSize; size++ {
				b.ReportMetric(median(size), fmt.Sprintf("ms-%d/8", size))
			}
			b.ReportMetric(median(opencv)/median(fullSize), "x-opencv")
		})
	}
}
