//go:build cgo

package kernelcheck_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/kernelcheck"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/quality"
)

// one is a registry of one model.
type one struct{ models.Model }

func (o one) Get(string) (models.Model, error) { return o.Model, nil }
func (o one) List() []models.Listed            { return nil }
func (o one) Default() string                  { return o.Name }

// BenchmarkLoad measures how long loading a model takes without the check, with its first
// and with a standing verdict, in turn; it reports the medians.
func BenchmarkLoad(b *testing.B) {
	builtIn, err := quality.Model()
	if err != nil {
		b.Fatal(err)
	}
	list := []models.Model{builtIn}
	if folder := testutil.SharedFolder(); folder != "" {
		registry, err := models.Open(filepath.Join(folder, "models"))
		if err != nil {
			b.Fatal(err)
		}
		for _, name := range []string{"mobilenet_v2_1.0_224_int8", "mobilenet_v2_1.0_224_uint8"} {
			if m, err := registry.Get(name); err == nil {
				list = append(list, m)
			}
		}
	}
	for _, m := range list {
		b.Run(m.Name, func(b *testing.B) {
			took := map[string][]float64{}
			dir := b.TempDir()
			for range b.N {
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
				took["off"] = append(took["off"], load(b, m, ""))
				took["first"] = append(took["first"], load(b, m, dir))
				took["standing"] = append(took["standing"], load(b, m, dir))
			}
			for how, ms := range took {
				slices.Sort(ms)
				b.ReportMetric(ms[len(ms)/2], how+"_ms")
			}
		})
	}
}

// load loads a model and returns the time in milliseconds; with an empty dir it is not
// checked.
func load(b *testing.B, m models.Model, dir string) float64 {
	b.Helper()
	config := inference.DefaultConfig()
	config.Interpreters = 2
	parts := inference.LoaderParts{Registry: one{m}, Backend: tflite.New(), Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}
	if dir != "" {
		parts.Checker = kernelcheck.New(kernelcheck.Config{
			Backend: parts.Backend, Inference: config, Dir: dir, Log: parts.Log,
			LibraryDigest: func(string) (string, error) { return tflite.LibraryDigest() }, Processor: kernelcheck.Processor,
		})
	}
	loader := inference.NewLoader(config, parts)
	start := time.Now()
	if _, err := loader.Describe(context.Background(), ""); err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	if c := loader.Checks()[m.Name]; dir != "" && c.Result != edgelens.CheckPassed {
		b.Fatalf("%+v", c)
	}
	if err := loader.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	return float64(took.Microseconds()) / 1000
}
