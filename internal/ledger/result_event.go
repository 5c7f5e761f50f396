package ledger

import "edgelens"

// eventRecognition is the type of the events about results.
const eventRecognition = "recognition"

// recognitionData is the Data of a "recognition" event.
type recognitionData struct {
	ID          string   `json:"id"`
	JobID       string   `json:"job_id,omitempty"`
	Source      string   `json:"source"`
	Device      string   `json:"device,omitempty"`
	Outcome     string   `json:"outcome"`
	Label       string   `json:"label,omitempty"`
	Probability float64  `json:"probability,omitempty"`
	Quality     string   `json:"quality,omitempty"` // the verdict on the image
	Warnings    []string `json:"warnings,omitempty"`
	// Freshness is that of the record on arrival: the event is current only if it is "fresh". Empty without a terminal.
	Freshness       string     `json:"freshness,omitempty"`
	FreshnessReason string     `json:"freshness_reason,omitempty"`
	Error           *errorData `json:"error,omitempty"`
}

// recognitionEvent returns the event of a result that was recorded.
func recognitionEvent(r *edgelens.StoredResult) newEvent {
	data := recognitionData{
		ID: r.ID, JobID: r.JobID, Source: r.Source, Device: r.Device, Outcome: r.Outcome,
		Label: r.Label, Probability: r.Probability, Error: errorDataOf(r.Error),
		Freshness: string(r.Freshness), FreshnessReason: r.FreshnessReason,
	}
	if r.Result != nil && r.Result.Quality != nil {
		data.Quality = r.Result.Quality.Verdict
	}
	if r.Result != nil {
		data.Warnings = r.Result.Warnings
	}
	return newEvent{kind: eventRecognition, subject: r.ID, owner: r.Owner, device: r.Device, at: r.CreatedAt, data: data}
}
