package heads

import (
	"encoding/json"
	"fmt"
	"time"

	"edgelens"
	"edgelens/learn/head"
)

// formatVersion changes whenever the format does.
const formatVersion = 1

// storedVersion is the form of a version in its file. Renaming a Go field changes nothing in it.
type storedVersion struct {
	Format int `json:"format"`
	// Digest is that of Head, so that damage shows.
	Digest string          `json:"digest"`
	Head   json.RawMessage `json:"head"`
	Report *storedReport   `json:"report,omitempty"`
}

// storedLive is the form of the file that says which version is live.
type storedLive struct {
	Version int `json:"version"`
}

type storedReport struct {
	Method         string        `json:"method"`
	L2             float64       `json:"l2,omitempty"`
	Folds          int           `json:"folds"`
	Labels         []storedLabel `json:"labels"`
	HeldOut        int           `json:"held_out"`
	Right          int           `json:"right"`
	Accuracy       float64       `json:"accuracy"`
	Low            float64       `json:"low"`
	High           float64       `json:"high"`
	Confusion      [][]int       `json:"confusion"`
	ErrorBefore    float64       `json:"error_before"`
	ErrorAfter     float64       `json:"error_after"`
	Threshold      float64       `json:"threshold"`
	ThresholdGiven bool          `json:"threshold_given,omitempty"`
	RightBelow     int           `json:"right_below"`
	WrongBelow     int           `json:"wrong_below"`
	TookMS         int64         `json:"took_ms"`
}

type storedLabel struct {
	Label string `json:"label"`
	Count int    `json:"count"`
}

// marshal returns the stored form of a version; report may be nil.
func marshal(h *head.Head, report *edgelens.TrainingReport) ([]byte, error) {
	data, err := h.Marshal()
	if err != nil {
		return nil, err
	}
	digest, err := h.Digest()
	if err != nil {
		return nil, err
	}
	return json.Marshal(storedVersion{Format: formatVersion, Digest: digest, Head: data, Report: newStoredReport(report)})
}

// unmarshal reads the stored form of a version. The error wraps edgelens.ErrInvalid.
func unmarshal(data []byte) (*head.Head, *edgelens.TrainingReport, error) {
	var s storedVersion
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, nil, fmt.Errorf("%w: this is no version of a head: %w", edgelens.ErrInvalid, err)
	}
	if s.Format != formatVersion {
		return nil, nil, fmt.Errorf("%w: it has the format %d, and this edgelens reads %d", edgelens.ErrInvalid, s.Format, formatVersion)
	}
	h, err := head.Unmarshal(s.Head)
	if err != nil {
		return nil, nil, err
	}
	if digest, err := h.Digest(); err != nil || digest != s.Digest {
		return nil, nil, fmt.Errorf("%w: its digest is %s, not %.80q: the file is damaged", edgelens.ErrInvalid, digest, s.Digest)
	}
	return h, s.Report.report(), nil
}

func newStoredReport(r *edgelens.TrainingReport) *storedReport {
	if r == nil {
		return nil
	}
	s := &storedReport{
		Method: r.Method, L2: r.L2, Folds: r.Folds, HeldOut: r.HeldOut, Right: r.Right, Accuracy: r.Accuracy, Low: r.Low, High: r.High,
		Confusion: r.Confusion, ErrorBefore: r.ErrorBefore, ErrorAfter: r.ErrorAfter, Threshold: r.Threshold, ThresholdGiven: r.ThresholdGiven,
		RightBelow: r.RightBelow, WrongBelow: r.WrongBelow, TookMS: r.Took.Milliseconds(),
	}
	for _, l := range r.Labels {
		s.Labels = append(s.Labels, storedLabel(l))
	}
	return s
}

func (s *storedReport) report() *edgelens.TrainingReport {
	if s == nil {
		return nil
	}
	r := &edgelens.TrainingReport{
		Method: s.Method, L2: s.L2, Folds: s.Folds, HeldOut: s.HeldOut, Right: s.Right, Accuracy: s.Accuracy, Low: s.Low, High: s.High,
		Confusion: s.Confusion, ErrorBefore: s.ErrorBefore, ErrorAfter: s.ErrorAfter, Threshold: s.Threshold, ThresholdGiven: s.ThresholdGiven,
		RightBelow: s.RightBelow, WrongBelow: s.WrongBelow, Took: time.Duration(s.TookMS) * time.Millisecond,
	}
	for _, l := range s.Labels {
		r.Labels = append(r.Labels, edgelens.LabelCount(l))
	}
	return r
}
