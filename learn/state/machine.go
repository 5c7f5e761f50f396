package state

import (
	"slices"
	"time"

	"edgelens"
	"edgelens/learn/head"
)

const (
	// maxAnswers is how many answers of each state are kept.
	maxAnswers = 10
	// maxAhead is by how much the time of an image may be ahead of our clock: more shows that a clock was wrong, and was set since.
	maxAhead = 5 * time.Minute
)

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
	outcome := m.outcomeOf(spec, label, probability, at, now)
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

// isNewer reports whether an image of a time that arrives now is newer than the last one. After a clock was set back, as on a board
// without a battery, each is newer than one of the time that was wrong.
func (m *machine) isNewer(at, now time.Time) bool {
	return at.After(m.imageAt) || m.imageAt.After(now.Add(maxAhead))
}

// outcomeOf returns what becomes of an answer.
func (m *machine) outcomeOf(spec Spec, label string, probability float64, at, now time.Time) edgelens.StateOutcome {
	before := 0
	if m.pending == label {
		before = m.count
	}
	switch {
	case !m.isNewer(at, now):
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

// stale reports whether the last image is too old, or of a time that cannot be right, so that its age is not known.
func (m *machine) stale(spec Spec, now time.Time) bool {
	age := now.Sub(m.receivedAt)
	return spec.StaleAfter > 0 && !m.receivedAt.IsZero() && (age > spec.StaleAfter || age < -maxAhead)
}
