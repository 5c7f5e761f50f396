package recognize

import (
	"context"
	"errors"

	"edgelens"
	"edgelens/models"
)

// StandInWarning is in every result of the quality model that stands in for
// a classifier.
const StandInWarning = "There is no classifier: the built-in quality model answered, which rates whether the image is usable, not what is in it. `edgelens model pull` fetches the default classifier."

// acquire returns the model that answers, and whether it stands in for the missing
// default one.
func (s *Service) acquire(ctx context.Context, req *edgelens.Request) (spec *models.Spec, release func(), standIn bool, err error) {
	spec, release, err = s.runner.Acquire(ctx, req.Model)
	if req.Model != "" || req.Task == edgelens.TaskEmbedding || s.qualityModel == "" || !s.config.AllowStandIn || !errors.Is(err, edgelens.ErrNoModel) {
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
