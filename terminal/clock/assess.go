package clock

import (
	"fmt"
	"time"

	"edgelens"
)

// Problem is why a record's time proves nothing; empty where it does.
type Problem string

// The problems that a record's time may have.
const (
	Missing       Problem = "missing"       // the dialect always sends one, and there is none
	NotUnderstood Problem = "unreadable"    // it cannot be read, or there are several that disagree
	Future        Problem = "future"        // it lies ahead
	Ambiguous     Problem = "ambiguous"     // it fits two moments, or none
	Contradiction Problem = "contradiction" // the measured offset of the clock says otherwise
)

// Evidence is what a record's freshness is judged by.
type Evidence struct {
	// Readings are the times that the record has; nil where its device sends none
	// by nature. One that it should have and has not is Absent.
	Readings []Reading
	// Received is when it came.
	Received time.Time
	// Zone is the one that the device's clock is in.
	Zone *time.Location
	// Measured is what is known of the clock, and Apply whether times are put
	// right by it, where it is Settled.
	Measured Estimate
	Apply    bool
	// Fresh is how old a record may be, and how far ahead.
	Fresh time.Duration
}

// Verdict is what a record's time proves.
type Verdict struct {
	// At is when it was captured, in UTC; zero where that is not known.
	At time.Time
	// Shown is the moment that the device's clock showed, with nothing put right,
	// for a Meter; zero where it fits several. Step is how exactly it was written,
	// and Wall is set where it had no zone of its own.
	Shown     time.Time
	Step      time.Duration
	Wall      bool
	Freshness edgelens.Freshness
	Problem   Problem
	// Reason says in a sentence why it is not fresh; empty where it is.
	Reason string
}

// disagreement is by how much two times of one record may differ: a terminal
// captures first and writes the record a moment later. The earlier one counts.
const disagreement = 5 * time.Second

// Assess says what a record's time proves. It is not told what the broker says of
// the message: one out of its store is old whatever its time.
func Assess(e Evidence) Verdict {
	if e.Readings == nil {
		return Verdict{Freshness: edgelens.FreshnessFresh}
	}
	reading, verdict, ok := one(e)
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

// one returns the reading that counts where all agree: the earliest.
func one(e Evidence) (Reading, Verdict, bool) {
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

// age is what a moment says of a record.
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

// assess says what moments prove that a reading fits.
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
		return Verdict{At: at, Freshness: edgelens.FreshnessReplayed, Reason: fmt.Sprintf("The record was %s old when it came.", Round(e.Received.Sub(at)))}
	default:
		return Verdict{At: at, Freshness: edgelens.FreshnessFresh}
	}
}

// corrected returns when a record was captured by what is measured of the clock;
// false where nothing is that could contradict the record.
func (e Evidence) corrected(at time.Time) (time.Time, bool) {
	m := e.Measured
	if m.Samples == 0 {
		return time.Time{}, false
	}
	if !m.Heartbeats {
		// Records prove how far a clock is ahead at least: an old one looks like a
		// clock that is behind. This record may prove more.
		offset := max(m.Offset, at.Sub(e.Received))
		if offset < 0 && !m.Settled {
			return time.Time{}, false
		}
		return at.Add(-offset), true
	}
	return at.Add(-m.Offset), true
}

// assessCorrected judges by times that the measured offset puts right.
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
		return Verdict{At: at, Freshness: edgelens.FreshnessReplayed, Reason: fmt.Sprintf("The record was %s old when it came.", Round(e.Received.Sub(at)))}
	default:
		return Verdict{At: at, Freshness: edgelens.FreshnessFresh}
	}
}

// notAhead returns the moments that are not ahead, by what is measured.
func (e Evidence) notAhead(instants []time.Time) []time.Time {
	var possible []time.Time
	for _, at := range instants {
		if e.ageOf(at.Add(-e.Measured.Offset)) != ahead {
			possible = append(possible, at)
		}
	}
	return possible
}

// assessAmbiguous judges a wall time that comes twice: if it is old whichever
// moment it was, that much is proved.
func (e Evidence) assessAmbiguous(reading Reading, instants []time.Time) Verdict {
	allOld := true
	for _, at := range instants {
		corrected, measured := e.corrected(at)
		allOld = allOld && e.ageOf(at) == old && (!measured || e.ageOf(corrected) == old)
	}
	if allOld {
		return Verdict{Freshness: edgelens.FreshnessReplayed, Reason: fmt.Sprintf(
			"The record was at least %s old when it came.", Round(e.Received.Sub(instants[len(instants)-1])))}
	}
	return unknown(Ambiguous, fmt.Sprintf("The record's time %q comes twice in the time zone %s: summer time ends.", reading.Text, reading.zoneName(e.Zone)))
}

// Round rounds a duration for people: to seconds below an hour, else to minutes.
func Round(d time.Duration) time.Duration {
	if d.Abs() < time.Hour {
		return d.Round(time.Second)
	}
	return d.Round(time.Minute)
}
