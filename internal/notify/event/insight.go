package event

import (
	"time"

	"edgelens"
)

// InsightEvent is the envelope of an insight. The same insight gives the same ID and Source in every delivery.
type InsightEvent struct {
	SpecVersion     string      `json:"specversion"`
	ID              string      `json:"id"`
	Source          string      `json:"source"`
	Type            string      `json:"type"`
	Subject         string      `json:"subject"`
	Time            time.Time   `json:"time"`
	DataContentType string      `json:"datacontenttype"`
	Data            InsightData `json:"data"`
	// Signature is set by Composer.JSON.
	Signature string `json:"signature,omitempty"`
}

// InsightData is an edgelens.Insight. Device and Field are text of the device, markup included.
type InsightData struct {
	Kind  string `json:"kind"`
	State string `json:"state"`
	// Raised is the id of the insight that a cleared one ends; absent for a raised one.
	Raised     string   `json:"raised,omitempty"`
	Rule       string   `json:"rule"`
	Series     string   `json:"series"`
	Device     string   `json:"device"`
	Field      string   `json:"field"`
	Severity   string   `json:"severity"`
	Confidence float64  `json:"confidence"`
	Summary    string   `json:"summary"`
	Actions    []string `json:"actions"`
	Value      float64  `json:"value"`
	Unit       string   `json:"unit,omitempty"`
	// Freshness is that of the reading behind it; absent for the absence of one.
	Freshness  string `json:"freshness,omitempty"`
	Suppressed int    `json:"suppressed"`
	// AgeMS is the time since the insight was made, when the event was written.
	AgeMS int64 `json:"age_ms"`
}

// ComposeInsight returns the event of an insight, written at now.
func ComposeInsight(i *edgelens.Insight, now time.Time) InsightEvent {
	return InsightEvent{
		SpecVersion: "1.0", ID: i.ID, Source: "edgelens/insights/" + i.Series, Type: edgelens.InsightType, Subject: i.Device + "/" + i.Field,
		Time: i.At.UTC(), DataContentType: "application/json", Data: InsightData{
			Kind: string(i.Kind), State: string(i.State), Raised: i.Raised, Rule: i.Rule, Series: i.Series, Device: i.Device, Field: i.Field,
			Severity: string(i.Severity), Confidence: i.Confidence, Summary: i.Summary, Actions: append([]string{}, i.Actions...), Value: i.Value, Unit: i.Unit,
			Freshness: string(i.Freshness), Suppressed: i.Suppressed, AgeMS: max(0, now.Sub(i.At).Milliseconds()),
		},
	}
}
