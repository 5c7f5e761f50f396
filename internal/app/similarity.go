package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/ledger"
	"edgelens/learn/similarity"
)

// newSimilarity returns what compares the images of the history; nil where that is not enabled.
func newSimilarity(c *config.Config, core *Core, l *ledger.Ledger, log *slog.Logger, metrics prometheus.Registerer) *similarity.Service {
	if !c.Similarity.Enabled {
		return nil
	}
	return similarity.Start(c.Similarity, similarity.Parts{
		Recognizer: core.Recognizer, Background: core.service, Store: l.Embeddings, Images: l.Images,
		Model: c.Recognize.EmbeddingModel, Extractor: func(ctx context.Context) (edgelens.ModelRef, error) {
			return core.extractor(ctx, c.Recognize.EmbeddingModel)
		},
	}, log, metrics)
}

// extractor returns a model of embeddings, which it loads where needed.
func (c *Core) extractor(ctx context.Context, name string) (edgelens.ModelRef, error) {
	spec, err := c.Loader.Describe(ctx, name)
	if err != nil {
		return edgelens.ModelRef{}, err
	}
	if spec.Task != edgelens.TaskEmbedding {
		return edgelens.ModelRef{}, fmt.Errorf("%w: %s has the task %s and gives no embeddings", edgelens.ErrModel, spec.Name, spec.Task)
	}
	return spec.ModelRef, nil
}
