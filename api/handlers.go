package api

import (
	"context"
	"math"
	"time"

	"edgelens"
)

// Healthz implements StrictServerInterface.
func (s *Server) Healthz(context.Context, HealthzRequestObject) (HealthzResponseObject, error) {
	return Healthz200JSONResponse{Status: HealthStatusOk}, nil
}

// Readyz implements StrictServerInterface. The reasons, which describe the machine, need a key with ScopeMetrics or
// ScopePage.
func (s *Server) Readyz(ctx context.Context, _ ReadyzRequestObject) (ReadyzResponseObject, error) {
	conditions := s.readiness.Conditions()
	if len(conditions) == 0 {
		return Readyz200JSONResponse{Status: HealthStatusOk}, nil
	}
	reasons, waiting := make([]Condition, 0, len(conditions)), []string{}
	for _, c := range conditions {
		reasons = append(reasons, Condition{Name: c.Name, Severity: ConditionSeverity(c.Severity), Reason: c.Reason})
		if c.Severity == edgelens.SeverityUnavailable {
			waiting = append(waiting, c.Name+": "+c.Reason)
		}
	}
	if key := keyFrom(ctx); !key.May(edgelens.ScopeMetrics) && !key.May(edgelens.ScopePage) {
		if len(waiting) == 0 {
			return Readyz200JSONResponse{Status: HealthStatusDegraded}, nil
		}
		return Readyz503JSONResponse{Status: HealthStatusUnavailable}, nil
	}
	if len(waiting) == 0 {
		return Readyz200JSONResponse{Status: HealthStatusDegraded, Reasons: &reasons}, nil
	}
	return Readyz503JSONResponse{Status: HealthStatusUnavailable, Reasons: &reasons, Waiting: &waiting}, nil
}

func cacheHeader(req *edgelens.Request, result *edgelens.Result) string {
	switch {
	case req.NoCache:
		return "BYPASS"
	case result.Cached:
		return "HIT"
	default:
		return "MISS"
	}
}

// NewRecognition returns a result in the form of the API, which the command line
// uses, too.
func NewRecognition(r *edgelens.Result) Recognition {
	list := make([]Prediction, 0, len(r.Predictions))
	for _, p := range r.Predictions {
		list = append(list, Prediction{ClassId: p.ClassID, Label: p.Label, Probability: p.Probability})
	}
	recognition := Recognition{
		RequestId:   r.RequestID,
		Model:       ModelRef{Name: r.Model.Name, Digest: r.Model.Digest},
		Predictions: list,
		Cached:      r.Cached,
		Image:       ImageInfo{Width: r.Image.Width, Height: r.Image.Height, Format: ImageInfoFormat(r.Image.Format), Sha256: r.Image.SHA256},
		View:        newView(r.View),
		TimingsMs: Timings{
			Queue: milliseconds(r.Timings.Queue), Decode: milliseconds(r.Timings.Decode),
			Preprocess: milliseconds(r.Timings.Preprocess), Inference: milliseconds(r.Timings.Inference),
			Postprocess: milliseconds(r.Timings.Postprocess), Total: milliseconds(r.Timings.Total),
		},
	}
	if r.Embedding != nil {
		recognition.Embedding = &r.Embedding
	}
	if r.Accelerator != "" {
		recognition.Accelerator = &r.Accelerator
	}
	if r.Image.Damaged {
		recognition.Image.Damaged = &r.Image.Damaged
	}
	if len(r.Warnings) > 0 {
		recognition.Warnings = &r.Warnings
	}
	if q := r.Quality; q != nil {
		recognition.Quality = &Quality{Verdict: QualityVerdict(q.Verdict), Score: q.Score, Usable: q.Usable}
		took := milliseconds(r.Timings.Quality)
		recognition.TimingsMs.Quality = &took
	}
	return recognition
}

// milliseconds rounds to a microsecond.
func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
