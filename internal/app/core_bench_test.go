//go:build cgo

package app

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/models"
	"edgelens/preprocess"
	"edgelens/recognize"
)

// BenchmarkWholePath compares, image by image and turn by turn in one run,
// the bare work (decode, resize, Invoke) with the recognizer around it and
// with the whole service over HTTP. overhead-% is the median of what is added.
func BenchmarkWholePath(b *testing.B) {
	for _, name := range []string{"cat.bmp", "cat_720p.jpg", "cat_1080p.jpg"} {
		b.Run(name, func(b *testing.B) {
			c := settings(b)
			withShared(b, c)
			c.Inference.Interpreters, c.Recognize.Slots = 1, 1
			s, image := start(b, c), readImage(b, name)
			bare := newBare(b, s.core)
			req := edgelens.Request{ID: "bench", Source: "cli", Image: image, SHA256: sha256.Sum256(image), NoCache: true}
			var bareTimes, coreTimes, httpTimes []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				bareTimes = append(bareTimes, timed(func() { bare.run(b, image) }))
				coreTimes = append(coreTimes, timed(func() {
					if _, err := s.core.Recognizer.Recognize(context.Background(), &req); err != nil {
						b.Fatal(err)
					}
				}))
				httpTimes = append(httpTimes, timed(func() {
					if a := s.raw(path+"?cache=false", image); a.status != 200 {
						b.Fatal(a.status)
					}
				}))
			}
			base := median(bareTimes)
			b.ReportMetric(milliseconds(base), "bare-ms")
			b.ReportMetric(percentOver(median(coreTimes), base), "recognizer-overhead-%")
			b.ReportMetric(percentOver(median(httpTimes), base), "http-overhead-%")
		})
	}
}

// BenchmarkCacheHit is a hit over HTTP for an upload of 105 kB.
func BenchmarkCacheHit(b *testing.B) {
	c := settings(b)
	withShared(b, c)
	s, image := start(b, c), readImage(b, "cat_720p.jpg")
	s.raw(path, image)
	var times []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		times = append(times, timed(func() {
			if a := s.raw(path, image); !a.Cached {
				b.Fatal(a.status)
			}
		}))
	}
	b.ReportMetric(milliseconds(median(times)), "median-ms")
}

// BenchmarkStart is the time from nothing to the default model ready.
func BenchmarkStart(b *testing.B) {
	c := settings(b)
	withShared(b, c)
	for b.Loop() {
		core, err := NewCore(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		if err != nil {
			b.Fatal(err)
		}
		if err := core.WarmUp(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := CloseWithin(StopTimeout, core.Close); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// newInterpreter returns an interpreter of the default model that core does not use.
func newInterpreter(t testing.TB, core *Core) (*models.Spec, inference.Interpreter) {
	t.Helper()
	spec, err := core.Loader.Describe(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	model, err := tflite.New().Open(spec.Path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
	if err != nil {
		t.Fatal(err)
	}
	interpreter, err := model.NewInterpreter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = interpreter.Close()
		_ = model.Close()
	})
	return spec, interpreter
}

// bare is the indispensable work.
type bare struct {
	preprocessor *preprocess.Preprocessor
	interpreter  inference.Interpreter
	input        models.InputSpec
	out          []byte
}

func newBare(b *testing.B, core *Core) *bare {
	b.Helper()
	spec, interpreter := newInterpreter(b, core)
	return &bare{
		preprocessor: core.preprocessor, interpreter: interpreter, input: spec.Input,
		out: make([]byte, spec.Output.Bytes()),
	}
}

func (r *bare) run(b *testing.B, image []byte) {
	b.Helper()
	tensor, err := r.interpreter.InputTensor()
	if err != nil {
		b.Fatal(err)
	}
	view := edgelens.View{Fit: r.preprocessor.Fit()}
	if _, err := r.preprocessor.Tensors(image, models.InputBuffer{Spec: r.input, View: view, Bytes: tensor}); err != nil {
		b.Fatal(err)
	}
	for _, step := range []func() error{
		r.interpreter.Invoke,
		func() error { return r.interpreter.ReadOutput(r.out) },
	} {
		if err := step(); err != nil {
			b.Fatal(err)
		}
	}
}

func timed(work func()) time.Duration {
	start := time.Now()
	work()
	return time.Since(start)
}

func median(times []time.Duration) time.Duration { return quantile(times, 0.5) }

func quantile(times []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[int(q*float64(len(sorted)-1))]
}

func milliseconds(d time.Duration) float64         { return float64(d.Microseconds()) / 1000 }
func percentOver(with, base time.Duration) float64 { return 100 * (float64(with)/float64(base) - 1) }

// BenchmarkQuality is the cost of a quality verdict for a recognition: the same image with and without one,
// alternately. One recognition at a time.
func BenchmarkQuality(b *testing.B) {
	for _, name := range []string{"cat_720p.jpg", "cat_1080p.jpg"} {
		b.Run(name, func(b *testing.B) {
			c := settings(b)
			withShared(b, c)
			c.Recognize.Quality = recognize.QualityTerminals // images of devices are rated
			core := start(b, c).core
			image := readImage(b, name)
			ask := func(device string) time.Duration {
				req := edgelens.Request{Source: "test", Device: device, Image: image, NoCache: true}
				return timed(func() {
					r, err := core.service.Recognize(context.Background(), &req)
					if err != nil || (r.Quality != nil) != (device != "") {
						b.Fatal(r, err)
					}
				})
			}
			ask("door")
			var without, with []time.Duration
			for b.Loop() {
				without, with = append(without, ask("")), append(with, ask("door"))
			}
			b.ReportMetric(milliseconds(median(without)), "without-ms")
			b.ReportMetric(milliseconds(median(with)), "with-ms")
			b.ReportMetric(float64(median(with))/float64(median(without)), "with/without")
		})
	}
}
