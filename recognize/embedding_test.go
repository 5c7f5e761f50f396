package recognize_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"edgelens"
	"edgelens/models"
	"edgelens/recognize"
)

// extractor is a model that gives these features, of 1/256 each.
func extractor(features ...byte) *answering {
	spec := newSpec(models.Uint8, len(features))
	spec.Name, spec.Task, spec.Labels, spec.Activation, spec.Output.Scale = "features", edgelens.TaskEmbedding, nil, models.ActivationFeatures, 1.0/256
	return &answering{spec: spec, raw: features}
}

// embeddingBench has a classifier as the default model, and an extractor.
func embeddingBench(e *answering) *bench {
	config := oneSlot()
	config.EmbeddingModel, config.AllowStandIn, config.Quality = "features", true, recognize.QualityOff
	b := newBenchWith(config, "quality", 64, 128)
	b.runner.spec.Task = edgelens.TaskClassification
	b.runner.others = map[string]*answering{"features": e}
	return b
}

func embeddingOf(content string) *edgelens.Request {
	req := image(content)
	req.Task = edgelens.TaskEmbedding
	return req
}

func TestEmbedding(t *testing.T) {
	b := embeddingBench(extractor(30, 0, 40))
	r := b.must(t, embeddingOf("cat"))
	if r.Model.Name != "features" || len(r.Predictions) != 0 || len(r.Embedding) != 3 {
		t.Fatalf("%+v", r)
	}
	for i, want := range []float64{.6, 0, .8} {
		if got := float64(r.Embedding[i]); math.Abs(got-want) > 1e-6 {
			t.Errorf("embedding %v, want length 1", r.Embedding)
		}
	}
	if again := b.must(t, embeddingOf("cat")); !again.Cached || again.Embedding[2] != r.Embedding[2] {
		t.Errorf("again: %+v", again)
	}
	classified := image("cat")
	classified.Task = edgelens.TaskClassification
	if r := b.must(t, classified); len(r.Predictions) != 2 || r.Embedding != nil {
		t.Errorf("classified: %+v", r)
	}
	byName := image("cat")
	byName.Model = "features"
	if r := b.must(t, byName); len(r.Embedding) != 3 {
		t.Errorf("by the name of the model alone: %+v", r)
	}
}

func TestEmbeddingIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*bench, *edgelens.Request)
		want   error
		text   string
	}{
		"a classifier": {func(_ *bench, r *edgelens.Request) { r.Model = "fake" }, edgelens.ErrInvalid, "task classification, not embedding"},
		"predictions of an extractor": {func(_ *bench, r *edgelens.Request) {
			r.Model, r.Task = "features", edgelens.TaskClassification
		}, edgelens.ErrInvalid, "task embedding, not classification"},
		"no such task": {func(_ *bench, r *edgelens.Request) { r.Task = "segmentation" }, edgelens.ErrInvalid, "not a task"},
		"a missing extractor": {func(b *bench, _ *edgelens.Request) {
			b.runner.others["features"].described = fmt.Errorf("%w: `edgelens model pull features` fetches it", edgelens.ErrNoModel)
		}, edgelens.ErrNoModel, "model pull features"},
		"no features": {func(b *bench, _ *edgelens.Request) { b.runner.others["features"].raw = []byte{0, 0, 0} }, edgelens.ErrInference, "all are 0"},
	} {
		t.Run(name, func(t *testing.T) {
			b := embeddingBench(extractor(30, 0, 40))
			req := embeddingOf("cat")
			tc.change(b, req)
			if r, err := b.Recognize(t.Context(), req); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%+v, %v; want %v with %q", r, err, tc.want, tc.text)
			}
			if n := b.runner.acquired.Load(); n != 0 {
				t.Errorf("%d models are not given up", n)
			}
		})
	}
	t.Run("no model is chosen", func(t *testing.T) {
		b := newBench(recognize.Config{Slots: 1, Timeout: oneSlot().Timeout}, 64, 128)
		if _, err := b.Recognize(t.Context(), embeddingOf("cat")); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "recognize.embedding_model") {
			t.Error(err)
		}
	})
}
