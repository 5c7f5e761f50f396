package app

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/models"
	"edgelens/models/quality"
)

// PullModels fetches models by name, all of the manifest, or, without names, the default
// one, and reports progress: without a file for the built-in model, which needs none. The
// error joins those of all models that could not be fetched.
func PullModels(ctx context.Context, c *config.Config, progress func(models.Progress), names []string, all bool) error {
	manifest, err := models.ReadManifest(c.ModelsDir)
	if err != nil {
		return err
	}
	switch {
	case all:
		names = nil
		for _, entry := range manifest.Models {
			names = append(names, entry.Name)
		}
	case len(names) == 0 && c.Model != "":
		names = []string{c.Model}
	case len(names) == 0:
		names = []string{manifest.Default}
	}
	puller := models.Puller{Mirror: c.ModelMirror, Progress: progress}
	var errs []error
	for _, name := range names {
		if name == quality.Name {
			if progress != nil {
				progress(models.Progress{Name: name})
			}
			continue
		}
		entry, known := manifest.Find(name)
		if !known {
			errs = append(errs, fmt.Errorf("%w: the manifest has no model %q; `edgelens model list` lists them", edgelens.ErrUnknownModel, name))
			continue
		}
		if err := puller.Pull(ctx, entry, c.ModelsDir); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// PullDefault fetches the default model if it is in the manifest. A user's own model is in the models folder or
// missing, and cannot be fetched.
func PullDefault(ctx context.Context, c *config.Config, progress func(models.Progress)) error {
	manifest, err := models.ReadManifest(c.ModelsDir)
	if err != nil {
		return err
	}
	if _, known := manifest.Find(c.Model); c.Model != "" && !known {
		return nil
	}
	return PullModels(ctx, c, progress, nil, false)
}
