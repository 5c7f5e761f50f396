package app

import (
	"errors"

	"edgelens"
	"edgelens/inference"
	"edgelens/internal/config"
	"edgelens/models"
	"edgelens/models/quality"
)

// OpenModels returns the models of the folder, with the built-in one beside them.
func OpenModels(c *config.Config) (*models.Registry, error) {
	registry, err := models.Open(c.ModelsDir)
	if err != nil {
		return nil, err
	}
	builtIn, err := quality.Model()
	if err != nil {
		return nil, err
	}
	if err := registry.AddBuiltIn(builtIn); err != nil {
		return nil, err
	}
	if c.Model != "" {
		return registry, registry.SetDefault(c.Model)
	}
	return registry, nil
}

// noClassifier returns the condition that the default model cannot answer; none
// where it can.
func noClassifier(loader *inference.Loader, c *config.Config) []edgelens.Condition {
	for _, m := range loader.List() {
		switch {
		case !m.Default, m.State == edgelens.ModelReady, m.State == edgelens.ModelAvailable:
			continue
		case m.State == edgelens.ModelMissing && c.Recognize.AllowStandIn:
			return []edgelens.Condition{{Name: "model", Severity: edgelens.SeverityDegraded,
				Reason: "the built-in model of image quality answers in place of a classifier: " + m.Problem}}
		}
		return []edgelens.Condition{{Name: "model", Severity: edgelens.SeverityUnavailable, Reason: "there is no classifier: " + m.Problem}}
	}
	return nil
}

// StartsWithoutClassifier reports whether a service may start although its default model is
// not here: nobody named it, and the service has its jobs for itself, so that no
// other node means another model by it.
func StartsWithoutClassifier(err error, c *config.Config) bool {
	return errors.Is(err, edgelens.ErrNoModel) && c.Model == "" && c.Jobs.RedisURL == ""
}
