package event

import (
	"time"

	"edgelens"
)

// StateEvent is the envelope of a change of a state. The same change gives the same ID and Source in every delivery.
type StateEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            StateData `json:"data"`
	// Signature is set by Composer.JSON.
	Signature string `json:"signature,omitempty"`
}

// StateData is an edgelens.StateChange.
type StateData struct {
	Name   string `json:"name"`
	Device string `json:"device"`
	// State is the label from now on, Former the one before; null where that was unknown.
	State      string  `json:"state"`
	Former     *string `json:"former"`
	Confidence float64 `json:"confidence"`
	Model      Model   `json:"model"`
	// ImageAt is the time of the last of the images, and Record the id of its record; absent for another source.
	ImageAt time.Time `json:"image_at"`
	Record  string    `json:"record,omitempty"`
	// AgeMS is the time since the change, when the event was written.
	AgeMS int64 `json:"age_ms"`
}

// ComposeState returns the event of a change, written at now.
func ComposeState(c *edgelens.StateChange, now time.Time) StateEvent {
	e := StateEvent{
		SpecVersion: "1.0", ID: c.ID, Source: "edgelens/states/" + c.Name, Type: edgelens.StateType, Subject: c.Name,
		Time: c.At.UTC(), DataContentType: "application/json", Data: StateData{
			Name: c.Name, Device: c.Device, State: c.Label, Confidence: c.Confidence, Model: Model(c.Model), ImageAt: c.ImageAt.UTC(), Record: c.Record,
			AgeMS: max(0, now.Sub(c.At).Milliseconds()),
		},
	}
	if c.Former != "" {
		former := c.Former
		e.Data.Former = &former
	}
	return e
}
