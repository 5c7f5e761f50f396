//go:build cgo && linux

package sandbox

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/models"
)

// BenchmarkHelper decodes images in helpers and in this process, in turns, so that a
// disturbance affects both; by one goroutine, and by one for each core. It reports the median
// of each in ms, and how many times longer a helper takes ("x-longer"). Photographs are used
// where EDGELENS_TEST_SHARED is set.
func BenchmarkHelper(b *testing.B) {
	images := map[string][]byte{"drawn 1280x720": jpegOf(b, 1280, 720), "drawn 320x240": jpegOf(b, 320, 240)}
	if shared := testutil.SharedFolder(); shared != "" {
		for _, name := range []string{"cat_720p.jpg", "cat_1080p.jpg"} {
			file, err := os.ReadFile(filepath.Join(shared, "images", name))
			if err != nil {
				b.Fatal(err)
			}
			images[name] = file
		}
	}
	f := newFixture(b, unchanged)
	ways := []interface {
		Tensors([]byte, ...models.InputBuffer) (models.Filled, error)
	}{f.Preprocessor, f.local}
	for name, file := range images {
		for _, workers := range []int{1, runtime.NumCPU()} {
			b.Run(name+map[bool]string{true: ", alone", false: ", on all cores"}[workers == 1], func(b *testing.B) {
				var took [2][]time.Duration
				for b.Loop() {
					for way, p := range ways {
						took[way] = append(took[way], decodeBy(b, workers, func(into models.InputBuffer) error {
							_, err := p.Tensors(file, into)
							return err
						}))
					}
				}
				median := func(way int) float64 {
					slices.Sort(took[way])
					return took[way][len(took[way])/2].Seconds() * 1000
				}
				b.ReportMetric(median(0), "ms-helper")
				b.ReportMetric(median(1), "ms-in-process")
				b.ReportMetric(median(0)/median(1), "x-longer")
			})
		}
	}
}

// decodeBy has workers decode at a time, each on a thread of its own as an executor is, and
// returns how long one image took.
func decodeBy(b *testing.B, workers int, decode func(models.InputBuffer) error) time.Duration {
	const rounds = 20
	begin := time.Now()
	var working sync.WaitGroup
	for range workers {
		into := buffer(b, 224, 224, 3, models.Uint8, edgelens.View{Fit: edgelens.FitCenter})
		working.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range rounds {
				if err := decode(into); err != nil {
					b.Error(err)
				}
			}
		})
	}
	working.Wait()
	return time.Since(begin) / rounds
}
