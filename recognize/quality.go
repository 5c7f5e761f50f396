package recognize

import (
	"context"

	"edgelens"
	"edgelens/models"
)

// UseQualityModel names the model that judges whether images are usable: a
// classifier whose labels are the verdicts of edgelens.Quality. Without one no
// image is judged. To be called before the first Recognize.
func (s *Service) UseQualityModel(model string) { s.qualityModel = model }

// qualityModelFor returns the spec of the model that judges the image of a request;
// nil where none does, or where it cannot be had.
func (s *Service) qualityModelFor(ctx context.Context, req *edgelens.Request) *models.Spec {
	switch {
	case s.qualityModel == "", s.config.Quality == QualityOff:
		return nil
	case s.config.Quality == QualityTerminals && req.Device == "":
		return nil
	}
	qualityModel, err := s.runner.Describe(ctx, s.qualityModel)
	if err != nil {
		s.withoutQuality(req, err)
		return nil
	}
	return qualityModel
}

// assessQuality says whether an image is usable, where raw is what the model
// answered; nil where that cannot be said.
func (s *Service) assessQuality(ctx context.Context, q *question, req *edgelens.Request, raw []byte, tensors []models.InputBuffer) *edgelens.Quality {
	if q.twoModels() {
		var err error
		if raw, err = s.runner.Run(ctx, q.qualityModel, func() ([]byte, error) { return tensors[1].Bytes, nil }); err != nil {
			s.withoutQuality(req, err)
			return nil
		}
	}
	verdicts, err := predictions(q.qualityModel, raw, 1, 0)
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

// withoutQuality says so: what goes wrong with the judge costs an answer its quality,
// not the answer.
func (s *Service) withoutQuality(req *edgelens.Request, err error) {
	s.log.Warn("an image was not judged", "request_id", req.ID, "error", err)
}
