package ledger

import (
	"strings"

	"edgelens"
	"edgelens/internal/uuid7"
)

// itemOf returns the item of the history of a finished job.
func itemOf(job *edgelens.Job) edgelens.StoredResult {
	item := edgelens.StoredResult{
		ID: orElse(job.Record, uuid7.New(job.FinishedAt)), JobID: job.ID, Source: job.Source, Device: job.Device, Owner: job.Owner,
		CreatedAt: job.FinishedAt, Result: job.Result, Error: job.Error,
	}
	if job.Status == edgelens.JobCanceled { // a terminal's record needs a result for its sinks
		item.Error = &edgelens.JobError{Code: edgelens.Code(edgelens.ErrCanceled), Detail: "The job was canceled before the image was recognized."}
	}
	complete(&item)
	return item
}

// complete fills in the fields that depend on the result or error.
func complete(r *edgelens.StoredResult) {
	if r.Result != nil && len(r.Result.Predictions) > 0 {
		r.Label, r.Probability = r.Result.Predictions[0].Label, r.Result.Predictions[0].Probability
	}
	switch {
	case r.Result == nil:
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeError)
	case r.Result.StandIn: // no classifier
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeUncertain)
		r.Reason = orElse(r.Reason, strings.Join(r.Result.Warnings, " "))
	case r.Result.Image.Problem() != "":
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeUncertain)
		r.Reason = orElse(r.Reason, r.Result.Image.Problem())
	case r.Result.Quality.Problem() != "":
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeUncertain)
		r.Reason = orElse(r.Reason, r.Result.Quality.Problem())
	case len(r.Result.Predictions) == 0 && r.Result.Embedding == nil:
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeUncertain)
	default:
		r.Outcome = orElse(r.Outcome, edgelens.OutcomeRecognized)
	}
	switch {
	case r.Reason != "":
	case r.Error != nil:
		r.Reason = r.Error.Detail
	case r.Outcome == edgelens.OutcomeUncertain:
		r.Reason = "No prediction was probable enough."
	}
}
