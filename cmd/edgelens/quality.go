package main

import (
	"log/slog"

	"edgelens"
	"edgelens/config"
	"edgelens/models"
	"edgelens/models/quality"
)

// openModels returns the models of the folder, with the built-in one beside them.
func openModels(c *config.Config) (*models.Registry, error) {
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

// fallBack makes the built-in model the default, and says so, where nobody named
// one and the file of the manifest's is not there: then there is an answer about
// a picture with no download.
func fallBack(registry *models.Registry, c *config.Config, log *slog.Logger) error {
	if c.Model != "" {
		return nil
	}
	def, err := registry.Look("")
	if err != nil || def.State != edgelens.ModelMissing {
		return err
	}
	log.Warn("the default model is not here: the built-in one answers, which says whether a picture is usable, not what is in it",
		"missing", def.Name, "built_in", quality.Name, "cure", "`edgelens model pull` fetches it; it serves from the next start on")
	return registry.SetDefault(quality.Name)
}
