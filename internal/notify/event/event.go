// Package event composes the JSON event of a terminal's record, the same for
// every sink.
//
// The envelope is a CloudEvent 1.0 in structured JSON
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
package event

import (
	"encoding/json"
	"fmt"
	"time"

	"edgelens"
)

// Type is the type of the events, with the version of Data.
const Type = "edgelens.recognition.v1"

// CloudEvent is the envelope. The same record gives the same ID and Source in
// every delivery.
type CloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
	// Signature is set by Composer.JSON.
	Signature string `json:"signature,omitempty"`
}

// Data is the result of a record.
type Data struct {
	// Outcome is "recognized", "uncertain", "no_image" or "error", and Reason a
	// sentence with the cause; empty for "recognized".
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Device  string `json:"device"`
	Dialect string `json:"dialect"`
	// Kind is "verified", "stranger" or "snapshot".
	Kind string `json:"kind"`
	// Passed reports that the terminal granted access.
	Passed bool `json:"passed"`
	// Record is the message of the terminal without the image; null where it
	// sent an image alone.
	Record json.RawMessage `json:"record"`
	// Predictions are sorted, the most probable first.
	Predictions []Prediction `json:"predictions"`
	Model       *Model       `json:"model"`
	Image       *Image       `json:"image"`
	// View is what the model was shown of the image; absent where there is no result.
	View *View `json:"view,omitempty"`
	// Accelerator is "gpu" if that ran the model; it is absent for the processor.
	Accelerator string `json:"accelerator,omitempty"`
	// Quality rates whether the image is usable; absent where it was not rated.
	Quality *Quality `json:"quality,omitempty"`
	Cached  bool     `json:"cached"`
	// Warnings are sentences about limits of the answer; absent where there are
	// none.
	Warnings []string `json:"warnings,omitempty"`
	// Replayed is true unless the record is proved to be fresh: do not open a door for it.
	Replayed bool `json:"replayed"`
	// Freshness is "fresh", "replayed", or "unknown" where nothing proves either;
	// Replayed is true for all but the first. FreshnessReason is a sentence with the
	// cause; empty for "fresh".
	Freshness       string `json:"freshness"`
	FreshnessReason string `json:"freshness_reason"`
	// CapturedAt is by the device's clock; null where the device sent no time.
	CapturedAt *time.Time `json:"captured_at"`
	ReceivedAt time.Time  `json:"received_at"`
	// AgeMS is the time in milliseconds from the capture, or else the reception, to
	// the writing of this event; never negative.
	AgeMS int64 `json:"age_ms"`
	// Chain is the place in the chain of the device's events; absent where there is none.
	Chain *Chain `json:"chain,omitempty"`
	// Reduced names the parts left out because the receiver does not accept as much,
	// such as "record.note" or "predictions"; absent where nothing was.
	Reduced []string `json:"reduced,omitempty"`
}

// Prediction is one class and its probability.
type Prediction struct {
	ClassID     int     `json:"class_id"`
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
}

// Model is the model that recognized the image.
type Model struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// Image is the image of the record.
type Image struct {
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	Format string `json:"format,omitempty"`
	// Damaged is that of edgelens.ImageInfo.
	Damaged bool `json:"damaged,omitempty"`
	// URL serves the image while it is kept.
	URL string `json:"url,omitempty"`
}

// View is an edgelens.ShownView, in the form of the API.
type View struct {
	Fit string `json:"fit"`
	// Region is absent for the whole image.
	Region *Region `json:"region,omitempty"`
	Count  int     `json:"count"`
}

// Region is an edgelens.Region.
type Region struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// Quality is a verdict on the image, as edgelens.Quality.
type Quality struct {
	Verdict string  `json:"verdict"`
	Score   float64 `json:"score"`
	Usable  bool    `json:"usable"`
}

// Chain is an edgelens.ChainLink. Prev and Hash are absent where they are not known yet: an event before has no result.
type Chain struct {
	ID   string  `json:"id"`
	Seq  int64   `json:"seq"`
	Prev *string `json:"prev,omitempty"`
	Hash string  `json:"hash,omitempty"`
}

// Composer composes events.
type Composer struct {
	// Fresh is the maximum age of a record at the time of writing, by the device's
	// time or else by its arrival; an older one is a replay.
	Fresh time.Duration
	// Link returns the URL of a result's image; nil for none.
	Link func(result string) string
	// Signer signs what is delivered; nil: it is not signed.
	Signer Signer
}

// Compose returns the event of a delivery, written at now.
func (c Composer) Compose(d *edgelens.Delivery, now time.Time) CloudEvent {
	at := d.Record.CapturedAt
	if at.IsZero() {
		at = d.Record.ReceivedAt
	}
	return CloudEvent{
		SpecVersion: "1.0", ID: d.Record.ID, Source: "edgelens/devices/" + d.Record.Device, Type: Type, Subject: d.Record.Device,
		Time: at.UTC(), DataContentType: "application/json", Data: c.data(d, at, now),
	}
}

// freshness returns the freshness of a record at now: one that was not fresh on
// arrival never is, and a fresh one ages.
func (c Composer) freshness(r *edgelens.Record, at, now time.Time) (edgelens.Freshness, string) {
	if r.Retained {
		return edgelens.FreshnessReplayed, orElse(r.FreshnessReason, "The MQTT broker had kept the message.")
	}
	if r.Freshness == edgelens.FreshnessReplayed {
		return r.Freshness, r.FreshnessReason
	}
	since := r.ReceivedAt
	if at.Before(since) && r.Freshness != edgelens.FreshnessUnknown {
		since = at
	}
	switch age := now.Sub(since); {
	case age > c.Fresh:
		return edgelens.FreshnessReplayed, fmt.Sprintf("The record is %s old.", age.Round(time.Second))
	case r.Freshness == "":
		return edgelens.FreshnessUnknown, "An earlier version, which did not assess times, received the record."
	case r.Freshness == edgelens.FreshnessUnknown:
		return r.Freshness, r.FreshnessReason
	case age < -c.Fresh:
		return edgelens.FreshnessUnknown, "The clock of this machine was set back since the record arrived."
	default:
		return edgelens.FreshnessFresh, ""
	}
}

func orElse(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}

func (c Composer) data(d *edgelens.Delivery, at, now time.Time) Data {
	r := &d.Record
	freshness, reason := c.freshness(r, at, now)
	data := Data{
		Outcome: d.Result.Outcome, Reason: d.Result.Reason, Device: r.Device, Dialect: r.Dialect, Kind: r.Kind, Passed: r.Passed,
		Record: r.Verdict, Predictions: []Prediction{}, ReceivedAt: r.ReceivedAt.UTC(),
		AgeMS:    max(0, now.Sub(at).Milliseconds()),
		Replayed: freshness != edgelens.FreshnessFresh, Freshness: string(freshness), FreshnessReason: reason,
	}
	if data.Record == nil {
		data.Record = json.RawMessage("null")
	}
	if link := d.Chain; link.Chain != "" {
		data.Chain = &Chain{ID: link.Chain, Seq: link.Seq, Hash: link.Hash}
		if link.Hash != "" {
			data.Chain.Prev = &link.Prev
		}
	}
	if !r.CapturedAt.IsZero() {
		captured := r.CapturedAt.UTC()
		data.CapturedAt = &captured
	}
	if r.ImageSHA256 != "" {
		data.Image = &Image{SHA256: r.ImageSHA256, Bytes: r.ImageBytes}
		if c.Link != nil {
			data.Image.URL = c.Link(d.Result.ID)
		}
	}
	if result := d.Result.Result; result != nil {
		data.Cached, data.Warnings = result.Cached, result.Warnings
		data.Model = &Model{Name: result.Model.Name, Digest: result.Model.Digest}
		data.View, data.Accelerator = newView(result.View), result.Accelerator
		if result.Quality != nil {
			quality := Quality(*result.Quality)
			data.Quality = &quality
		}
		for _, p := range result.Predictions {
			data.Predictions = append(data.Predictions, Prediction(p))
		}
		if data.Image != nil {
			data.Image.Width, data.Image.Height, data.Image.Format = result.Image.Width, result.Image.Height, result.Image.Format
			data.Image.Damaged = result.Image.Damaged
		}
	}
	return data
}

// newView returns nil for the view of a result of an earlier version, which had none.
func newView(v edgelens.ShownView) *View {
	if v == (edgelens.ShownView{}) {
		return nil
	}
	view := &View{Fit: string(v.Fit), Count: v.Count}
	if v.Region != (edgelens.Region{}) {
		region := Region(v.Region)
		view.Region = &region
	}
	return view
}
