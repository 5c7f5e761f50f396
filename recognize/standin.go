package recognize

import (
	"context"
	"errors"
	"fmt"

	"edgelens"
	"edgelens/models"
)

// StandInWarning is in every result of the quality model that stands in for
// a classifier.
const StandInWarning = "There is no classifier: the built-in quality model answered, which rates whether the image is usable, not what is in it. `edgelens model pull` fetches the default classifier."

// acquire returns the model that answers, and whether it stands in for the missing
// default one. The quality model does so for a classifier only: its scores are no features.
func (s *Service) acquire(ctx context.Context, req *edgelens.Request) (spec *models.Spec, release func(), standIn bool, err error) {
	name := req.Model
	if name == "" && req.Task == edgelens.TaskEmbedding {
		if name = s.config.EmbeddingModel; name == "" {
			return nil, nil, false, fmt.Errorf("%w: name the model whose embedding is wanted, or set recognize.embedding_model", edgelens.ErrInvalid)
		}
	}
	spec, release, err = s.runner.Acquire(ctx, name)
	if name != "" || s.qualityModel == "" || !s.config.AllowStandIn || !errors.Is(err, edgelens.ErrNoModel) {
		return spec, release, false, err
	}
	spec, release, err = s.runner.Acquire(ctx, s.qualityModel)
	return spec, release, true, err
}

// warn marks a result that is not of a classifier. Results are cached without it:
// a request that names that model gets the same result.
func warn(r *edgelens.Result, standIn bool) {
	if standIn {
		r.StandIn, r.Warnings = true, append([]string{StandInWarning}, r.Warnings...)
	}
}
