package recognize_test

import (
	"log/slog"
	"testing"
	"time"

	"edgelens"
	"edgelens/models"
	"edgelens/recognize"

	"github.com/prometheus/client_golang/prometheus"
)

// forgetful is a cache that stores nothing.
type forgetful struct{}

func (forgetful) Get(string) (*edgelens.Result, bool)      { return nil, false }
func (forgetful) GetLocal(string) (*edgelens.Result, bool) { return nil, false }
func (forgetful) Set(string, *edgelens.Result)             {}

// newMobileNet returns a Service with a model of MobileNet's size that takes no
// time to run.
func newMobileNet(cache recognize.Cache) *recognize.Service {
	const classes = 1001
	spec := newSpec(models.Uint8, classes)
	spec.Input.Shape, spec.Output.Scale = []int{1, 224, 224, 3}, 1.0/256
	raw := make([]byte, classes)
	for i := range raw {
		raw[i] = byte(i * 7919)
	}
	config := recognize.Config{Slots: 2, Timeout: 10 * time.Second}
	return recognize.New(config, recognize.Parts{Preprocessor: &preprocessor{version: "1"}, Runner: &runner{spec: spec, raw: raw}, Cache: cache, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
}

func benchmarkRecognize(b *testing.B, cache recognize.Cache) {
	s, req := newMobileNet(cache), image("cat")
	if _, err := s.Recognize(b.Context(), req); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Recognize(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHit(b *testing.B)  { benchmarkRecognize(b, &memory{}) }
func BenchmarkMiss(b *testing.B) { benchmarkRecognize(b, forgetful{}) }
