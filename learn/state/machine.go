package state

import (
	"slices"
	"time"

	"edgelens"
	"edgelens/learn/head"
)

// maxAnswers is how many answers of each state are kept.
const maxAnswers = 10

// machine decides what a state is, from answers about images. It is a value: a copy of it goes on by itself, since with
// each answer it has a new list of answers.
type machine struct {
	label      string
	since      time.Time
	confidence float64
	// imageAt is the time of the newest image that was recognized, and receivedAt when it arrived, by our clock.
	imageAt, receivedAt time.Time
	pending             string
	count               int
	answers             []edgelens.StateAnswer // the newest first
}

// take takes an answer about an image of a time, which arrived now. The label unknown, and one below the threshold, end a
// row of equal answers; an image that is not newer than the last one changes nothing.
func (m *machine) take(spec Spec, label string, probability float64, at, now time.Time) edgelens.StateOutcome {
	outcome := m.outcomeOf(spec, label, probability, at)
	m.answers = slices.Insert(slices.Clone(m.answers), 0, edgelens.StateAnswer{Label: label, Probability: probability, At: at, Outcome: outcome})
	m.answers = m.answers[:min(len(m.answers), maxAnswers)]
	if outcome == edgelens.StateOld {
		return outcome
	}
	m.imageAt, m.receivedAt = at, now
	switch outcome {
	case edgelens.StateUncertain, edgelens.StateConfirmed:
		m.pending, m.count = "", 0
	case edgelens.StatePending:
		if m.pending != label {
			m.pending, m.count = label, 0
		}
		m.count++
	case edgelens.StateChanged:
		m.label, m.since, m.confidence = label, at, probability
		m.pending, m.count = "", 0
	}
	return outcome
}

// outcomeOf returns what becomes of an answer.
func (m *machine) outcomeOf(spec Spec, label string, probability float64, at time.Time) edgelens.StateOutcome {
	before := 0
	if m.pending == label {
		before = m.count
	}
	switch {
	case !at.After(m.imageAt):
		return edgelens.StateOld
	case label == "" || label == head.Unknown || !(probability >= spec.Threshold): // NaN too
		return edgelens.StateUncertain
	case label == m.label:
		return edgelens.StateConfirmed
	case before+1 >= spec.Count:
		return edgelens.StateChanged
	}
	return edgelens.StatePending
}

// stale reports whether the last image is too old.
func (m *machine) stale(spec Spec, now time.Time) bool {
	return spec.StaleAfter > 0 && !m.receivedAt.IsZero() && now.Sub(m.receivedAt) > spec.StaleAfter
}
