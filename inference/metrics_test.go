package inference_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/internal/testutil"
	"edgelens/models"
)

// oneModel is a registry with one model.
type oneModel struct{}

func (oneModel) Get(string) (models.Model, error) {
	return models.Model{ModelRef: edgelens.ModelRef{Name: "cats", Digest: "sha256:0123"}, Activation: models.ActivationProbabilities, Labels: make([]string, 10)}, nil
}
func (oneModel) List() []models.Listed { return nil }
func (oneModel) Default() string       { return "cats" }

func TestMetricsOfLoadedModels(t *testing.T) {
	registry := prometheus.NewRegistry()
	loader := inference.NewLoader(inference.Config{Interpreters: 3, Threads: 1, InvokeTimeout: time.Minute}, inference.LoaderParts{
		Registry: oneModel{}, Backend: fake.Image(4, 10), Log: slog.New(slog.DiscardHandler), Metrics: registry,
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := loader.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if got := testutil.Metrics(t, registry); len(got) > 0 {
		t.Errorf("with no model: %v", got)
	}
	if _, err := loader.Describe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	got := testutil.Metrics(t, registry)
	if len(got) != 6 || got["edgelens_interpreters cats idle"] != 3 || got["edgelens_interpreters cats busy"] != 0 || got["edgelens_interpreters cats stuck"] != 0 || got["edgelens_model_load_seconds cats"] <= 0 {
		t.Errorf("got %v, want three idle interpreters, the load time and the check", got)
	}
}
