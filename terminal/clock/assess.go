package clock

import (
	"fmt"
	"time"

	"edgelens"
)

// Problem is why a record's time proves nothing; empty where it does.
type Problem string

// The problems of a record's time.
const (
	Missing       Problem = "missing"       // the dialect always sends one, but it is missing
	NotUnderstood Problem = "unreadable"    // it cannot be read, or there are several that disagree
	Future        Problem = "future"        // it is ahead of ours
	Ambiguous     Problem = "ambiguous"     // it fits two instants, or none
	Contradiction Problem = "contradiction" // the measured offset of the clock contradicts it
)

// Evidence is what a record's freshness is assessed from.
type Evidence struct {
	// Readings are the times of the record; nil where its device never sends any. An
	// expected but missing one is Absent.
	Readings []Reading
	// Received is the time of arrival.
	Received time.Time
	// Zone is the time zone of the device's clock.
	Zone *time.Location
	// Measured is the estimate of the clock, and Apply whether times are corrected by it,
	// where it is Settled.
	Measured Estimate
	Apply    bool
	// Fresh is the maximum age of a fresh record, and how far ahead its time may be.
	Fresh time.Duration
}

// Verdict is what a record's time proves.
type Verdict struct {
	// At is the capture time, in UTC; zero where it is unknown.
	At time.Time
	// Shown is the instant that the device's clock showed, uncorrected, for a Meter; zero
	// where it fits several. Step is the precision of its notation, and Wall is set where
	// it had no zone of its own.
	Shown     time.Time
	Step      time.Duration
	Wall      bool
	Freshness edgelens.Freshness
	Problem   Problem
	// Reason is a sentence with the reason why it is not fresh; empty where it is.
	Reason string
}

// disagreement is the maximum difference between two times of one record: a terminal
// captures first and writes the record shortly after. The earlier one counts.
const disagreement = 5 * time.Second

// Assess returns what a record's time proves. The broker's flags are not part of the
// evidence: a message out of its store is old whatever its time.
func Assess(e Evidence) Verdict {
	if e.Readings == nil {
		return Verdict{Freshness: edgelens.FreshnessFresh}
	}
	reading, verdict, ok := earliest(e)
	if !ok {
		return verdict
	}
	instants := reading.instants(e.Zone)
	if len(instants) == 0 {
		return unknown(Ambiguous, fmt.Sprintf("The record's time %q does not exist in the time zone %s: summer time begins.", reading.Text, reading.zoneName(e.Zone)))
	}
	verdict = e.assess(reading, instants)
	if len(instants) == 1 {
		verdict.Shown, verdict.Step, verdict.Wall = instants[0], reading.Step, reading.Kind == Wall && reading.Zone == nil
	}
	return verdict
}

func unknown(problem Problem, reason string) Verdict {
	return Verdict{Freshness: edgelens.FreshnessUnknown, Problem: problem, Reason: reason}
}

// earliest returns the earliest reading where all agree.
func earliest(e Evidence) (Reading, Verdict, bool) {
	var found Reading
	for _, reading := range e.Readings {
		switch {
		case reading.Kind == Absent:
			continue
		case reading.Kind == Unreadable:
			return Reading{}, unknown(NotUnderstood, fmt.Sprintf("The record's time %q cannot be read: %s.", reading.Text, reading.Reason)), false
		case found.Kind == Absent:
			found = reading
			continue
		}
		apart, comparable := apart(found, reading, e.Zone)
		if !comparable || apart.Abs() > disagreement+max(found.Step, reading.Step) {
			return Reading{}, unknown(NotUnderstood, fmt.Sprintf("The record has two times that disagree, %q and %q.", found.Text, reading.Text)), false
		}
		if apart < 0 {
			found = reading
		}
	}
	if found.Kind == Absent {
		return Reading{}, unknown(Missing, "The record has no time."), false
	}
	return found, Verdict{}, true
}

// apart returns by how much b is later than a.
func apart(a, b Reading, zone *time.Location) (time.Duration, bool) {
	if a.Kind == Wall && b.Kind == Wall && a.Zone == b.Zone {
		return b.At.Sub(a.At), true
	}
	x, y := a.instants(zone), b.instants(zone)
	if len(x) != 1 || len(y) != 1 {
		return 0, false
	}
	return y[0].Sub(x[0]), true
}

// age is the age of a record at an instant, by the device's clock.
type age int

const (
	live age = iota
	old
	ahead
)

func (e Evidence) ageOf(at time.Time) age {
	switch behind := e.Received.Sub(at); {
	case behind > e.Fresh:
		return old
	case behind < -e.Fresh:
		return ahead
	default:
		return live
	}
}

// assess returns the verdict on the instants that fit a reading.
func (e Evidence) assess(reading Reading, instants []time.Time) Verdict {
	if e.Apply && e.Measured.Settled {
		return e.assessCorrected(reading, instants)
	}
	possible := instants
	if len(instants) > 1 && e.Measured.certain() {
		possible = e.notAhead(instants)
	}
	if len(possible) != 1 {
		return e.assessAmbiguous(reading, instants)
	}
	at := possible[0]
	by := e.ageOf(at)
	switch corrected, measured := e.corrected(at); {
	case by == ahead:
		return Verdict{At: at, Freshness: edgelens.FreshnessUnknown, Problem: Future, Reason: fmt.Sprintf(
			"The record's time is %s ahead of ours: the clock of the terminal or its time zone is wrong.", Round(at.Sub(e.Received)))}
	case measured && e.ageOf(corrected) != by:
		return Verdict{At: at, Freshness: edgelens.FreshnessUnknown, Problem: Contradiction, Reason: fmt.Sprintf(
			"The terminal's clock is %s, so the record's time proves nothing: correct the clock or its time zone, or set apply_clock_offset for the device.", e.Measured.Words())}
	case by == old:
		return Verdict{At: at, Freshness: edgelens.FreshnessReplayed, Reason: fmt.Sprintf("The record was %s old on arrival.", Round(e.Received.Sub(at)))}
	default:
		return Verdict{At: at, Freshness: edgelens.FreshnessFresh}
	}
}

// corrected returns the capture time by the estimate of the clock; false where there is no
// estimate that could contradict the record.
func (e Evidence) corrected(at time.Time) (time.Time, bool) {
	m := e.Measured
	if m.Samples == 0 {
		return time.Time{}, false
	}
	if !m.Heartbeats {
		// Records prove a lower bound of the offset only: an old one looks like a clock
		// that is behind. This record may prove more.
		offset := max(m.Offset, at.Sub(e.Received))
		if offset < 0 && !m.Settled {
			return time.Time{}, false
		}
		return at.Add(-offset), true
	}
	return at.Add(-m.Offset), true
}

// assessCorrected assesses times after correction by the measured offset.
func (e Evidence) assessCorrected(reading Reading, instants []time.Time) Verdict {
	var corrected []time.Time
	for _, at := range instants {
		if at = at.Add(-e.Measured.Offset); len(instants) == 1 || e.ageOf(at) != ahead {
			corrected = append(corrected, at)
		}
	}
	if len(corrected) != 1 {
		return e.assessAmbiguous(reading, instants)
	}
	at := corrected[0]
	switch e.ageOf(at) {
	case ahead:
		return Verdict{At: at, Freshness: edgelens.FreshnessUnknown, Problem: Contradiction, Reason: fmt.Sprintf(
			"The record's time is %s ahead of ours, although the clock was %s: it has changed.", Round(at.Sub(e.Received)), e.Measured.Words())}
	case old:
		return Verdict{At: at, Freshness: edgelens.FreshnessReplayed, Reason: fmt.Sprintf("The record was %s old on arrival.", Round(e.Received.Sub(at)))}
	default:
		return Verdict{At: at, Freshness: edgelens.FreshnessFresh}
	}
}

// notAhead returns the instants that are not ahead, by the estimate.
func (e Evidence) notAhead(instants []time.Time) []time.Time {
	var possible []time.Time
	for _, at := range instants {
		if e.ageOf(at.Add(-e.Measured.Offset)) != ahead {
			possible = append(possible, at)
		}
	}
	return possible
}

// assessAmbiguous assesses a wall time that occurs twice: if it is old at either instant,
// that much is proved.
func (e Evidence) assessAmbiguous(reading Reading, instants []time.Time) Verdict {
	allOld := true
	for _, at := range instants {
		corrected, measured := e.corrected(at)
		allOld = allOld && e.ageOf(at) == old && (!measured || e.ageOf(corrected) == old)
	}
	if allOld {
		return Verdict{Freshness: edgelens.FreshnessReplayed, Reason: fmt.Sprintf(
			"The record was at least %s old on arrival.", Round(e.Received.Sub(instants[len(instants)-1])))}
	}
	return unknown(Ambiguous, fmt.Sprintf("The record's time %q occurs twice in the time zone %s: summer time ends.", reading.Text, reading.zoneName(e.Zone)))
}

// Round rounds a duration for display: to seconds below an hour, else to minutes.
func Round(d time.Duration) time.Duration {
	if d.Abs() < time.Hour {
		return d.Round(time.Second)
	}
	return d.Round(time.Minute)
}
