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

	"golang.org/x/sys/unix"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/models"
)

// BenchmarkHelper decodes images in helpers and in this process, in turns, so that a
// disturbance affects both; by one goroutine, and by one for each core. It reports the medians
// in ms, of the time of an image and of the processor time of all processes for it, and how
// many times more a helper takes ("x-longer", "x-cpu"). Photographs are used where
// EDGELENS_TEST_SHARED is set.
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
				var took, used [2][]float64
				for b.Loop() {
					for way, p := range ways {
						before := f.processorTime(b)
						took[way] = append(took[way], decodeBy(b, workers, func(into models.InputBuffer) error {
							_, err := p.Tensors(file, into)
							return err
						}))
						used[way] = append(used[way], (f.processorTime(b)-before).Seconds()*1000/float64(workers*rounds))
					}
				}
				b.ReportMetric(median(took[0]), "ms-helper")
				b.ReportMetric(median(took[1]), "ms-in-process")
				b.ReportMetric(median(took[0])/median(took[1]), "x-longer")
				b.ReportMetric(median(used[0]), "cpu-ms-helper")
				b.ReportMetric(median(used[1]), "cpu-ms-in-process")
				b.ReportMetric(median(used[0])/median(used[1]), "x-cpu")
			})
		}
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// processorTime is how much this process and its helpers have used.
func (f *fixture) processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	sum := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	p := f.helpers.(*pools).usual
	p.mu.Lock()
	defer p.mu.Unlock()
	for h := range p.alive {
		sum += h.processorTime()
	}
	return sum
}

// rounds is how many images each worker decodes in a turn.
const rounds = 20

// decodeBy has workers decode at a time, each on a thread of its own as an executor is, and
// returns how many ms an image took.
func decodeBy(b *testing.B, workers int, decode func(models.InputBuffer) error) float64 {
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
	return time.Since(begin).Seconds() * 1000 / rounds
}
