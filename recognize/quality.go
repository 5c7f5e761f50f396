package recognize

import (
	"context"

	"edgelens"
	"edgelens/models"
)

// qualityModelFor returns the model that rates the image of a request; nil if none
// does, or if it is not available.
func (s *Service) qualityModelFor(ctx context.Context, req *edgelens.Request) (spec *models.Spec, release func()) {
	switch {
	case s.qualityModel == "", s.config.Quality == QualityOff:
		return nil, nil
	case s.config.Quality == QualityTerminals && req.Device == "":
		return nil, nil
	}
	spec, release, err := s.runner.Acquire(ctx, s.qualityModel)
	if err != nil {
		s.withoutQuality(req, err)
		return nil, nil
	}
	return spec, release
}

// assessQuality returns whether an image is usable; nil if that is not known. It takes
// the outputs of the quality model, if that is the one that answered, or else its tensor.
func (s *Service) assessQuality(ctx context.Context, q *question, req *edgelens.Request, outputs [][]byte, rated []byte, background bool) *edgelens.Quality {
	if q.twoModels() {
		inferred, err := s.runner.Run(ctx, q.qualityModel, onTensor(rated, background))
		if err != nil {
			s.withoutQuality(req, err)
			return nil
		}
		outputs = [][]byte{inferred.Output}
	}
	verdicts, err := predictions(q.qualityModel, outputs, 1, 0)
	if err != nil {
		s.withoutQuality(req, err)
		return nil
	}
	verdict := verdicts[0]
	return &edgelens.Quality{
		Verdict: verdict.Label, Score: verdict.Probability,
		Usable: verdict.Label == edgelens.QualityOK || verdict.Probability < s.config.QualityMinScore,
	}
}

// withoutQuality logs the error: if rating fails, the result lacks the quality, but
// is returned.
func (s *Service) withoutQuality(req *edgelens.Request, err error) {
	s.log.Warn("rating an image's quality failed", "event", "quality_failed", "request_id", req.ID, "error", err)
}
