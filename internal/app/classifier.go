package app

import (
	"errors"
	"fmt"

	"edgelens"
	"edgelens/inference"
	"edgelens/internal/config"
	"edgelens/models"
	"edgelens/models/quality"
)

// OpenModels returns the models of the folder, and the built-in one.
func OpenModels(c *config.Config) (*models.Registry, error) {
	builtIn, err := quality.Model()
	if err != nil {
		return nil, err
	}
	registry, err := models.Open(c.ModelsDir, builtIn)
	if err != nil {
		return nil, err
	}
	if c.Model != "" {
		if err := registry.SetDefault(c.Model); err != nil {
			return nil, err
		}
	}
	return registry, checkEmbeddingModel(registry, c.Recognize.EmbeddingModel)
}

// checkEmbeddingModel returns an edgelens.ErrModel for a classifier that is to answer requests for embeddings. A model that
// is missing, or not known yet, may still come.
func checkEmbeddingModel(registry *models.Registry, name string) error {
	if name == "" {
		return nil
	}
	listed, err := registry.Look(name)
	if err != nil || listed.Task == edgelens.TaskEmbedding {
		return nil
	}
	return fmt.Errorf("%w: recognize.embedding_model: %s has the task %s and gives no embeddings; name a model of task %s (`edgelens model list`)", edgelens.ErrModel, listed.Name, listed.Task, edgelens.TaskEmbedding)
}

// noClassifier returns the condition that the default model is unavailable; none where it is available.
func noClassifier(loader *inference.Loader, c *config.Config) []edgelens.Condition {
	for _, m := range loader.List() {
		switch {
		case !m.Default, m.State == edgelens.ModelReady, m.State == edgelens.ModelAvailable:
			continue
		case m.State == edgelens.ModelMissing && c.Recognize.AllowStandIn:
			return []edgelens.Condition{{Name: "model", Severity: edgelens.SeverityDegraded,
				Reason: "the built-in model of image quality answers in place of a classifier: " + m.Problem}}
		}
		return []edgelens.Condition{{Name: "model", Severity: edgelens.SeverityUnavailable, Reason: "no classifier:  " + m.Problem}}
	}
	return nil
}

// StartsWithoutClassifier reports whether a service may start although its default model is missing: where it is not
// configured by name, and the service has its jobs for itself, so that no other node can have another model under its
// name.
func StartsWithoutClassifier(err error, c *config.Config) bool {
	return errors.Is(err, edgelens.ErrNoModel) && c.Model == "" && c.Jobs.RedisURL == ""
}
