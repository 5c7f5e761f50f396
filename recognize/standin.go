package recognize

import (
	"context"
	"errors"

	"edgelens"
	"edgelens/models"
)

// StandInWarning is in every answer of the model of image quality that was given in
// place of a classifier's.
const StandInWarning = "There is no classifier: the built-in model of image quality answered, which says whether the image is usable, not what is in it. `edgelens model pull` fetches the default classifier."

// describe returns the model that answers, and whether it stands in for the default
// one, which is not here.
func (s *Service) describe(ctx context.Context, name string) (spec *models.Spec, standIn bool, err error) {
	spec, err = s.runner.Describe(ctx, name)
	if name != "" || s.qualityModel == "" || !s.config.AllowStandIn || !errors.Is(err, edgelens.ErrNoModel) {
		return spec, false, err
	}
	spec, err = s.runner.Describe(ctx, s.qualityModel)
	return spec, true, err
}

// warn marks an answer that is not of a classifier. Results are cached without it:
// who asks for that model by its name gets the same answer.
func warn(r *edgelens.Result, standIn bool) {
	if standIn {
		r.StandIn, r.Warnings = true, append([]string{StandInWarning}, r.Warnings...)
	}
}
