package telemetry

import (
	"errors"
	"sync"
	"time"

	"edgelens"
)

const (
	// fineStep and coarseStep are the lengths of the steps that are kept, and stepsKept how many of each: half an
	// hour, and six hours.
	fineStep   = 5 * time.Second
	coarseStep = time.Minute
	stepsKept  = 360
	// recent is the time of the present figures.
	recent = time.Minute
)

// MaxActivity is the longest window of an Activity.
const MaxActivity = stepsKept * coarseStep

// Activity keeps what the service did in the last hours, in steps and bounded memory (about 300 kB). Nothing runs for
// it: a recognition counts itself, and what lies between is worked out when it is read. It is safe for use by many
// goroutines.
type Activity struct {
	now     func() time.Time
	started time.Time

	mu              sync.Mutex
	fine, coarse    ring
	waiting, queued int64
}

// NewActivity returns an Activity that begins now.
func NewActivity() *Activity { return newActivity(time.Now) }

func newActivity(now func() time.Time) *Activity {
	return &Activity{now: now, started: now(), fine: newRing(fineStep, stepsKept), coarse: newRing(coarseStep, stepsKept)}
}

// Recognized counts a recognition that a client waited for, or a job's, by its error.
func (a *Activity) Recognized(took time.Duration, err error) {
	switch {
	case err == nil:
		a.count(func(s *step) { s.answered.add(took) })
	case isRefusal(err):
		a.Refused()
	case errors.Is(err, edgelens.ErrCanceled): // the client did not wait
	default:
		a.count(func(s *step) { s.failed++ })
	}
}

// isRefusal reports whether an error is about the load, and not about the image.
func isRefusal(err error) bool {
	return errors.Is(err, edgelens.ErrBusy) || errors.Is(err, edgelens.ErrStopping) || errors.Is(err, edgelens.ErrDeadline)
}

// Refused counts a request that was refused because of the load.
func (a *Activity) Refused() { a.count(func(s *step) { s.refused++ }) }

// Waiting notes how many requests wait for an interpreter, and Queued how many jobs are queued.
func (a *Activity) Waiting(n int64) {
	a.count(func(s *step) { s.waiting = max(s.waiting, n) })
	a.mu.Lock()
	a.waiting = n
	a.mu.Unlock()
}

// Queued notes how many jobs are queued; see Waiting.
func (a *Activity) Queued(n int64) {
	a.count(func(s *step) { s.queued = max(s.queued, n) })
	a.mu.Lock()
	a.queued = n
	a.mu.Unlock()
}

func (a *Activity) count(note func(*step)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	elapsed := a.now().Sub(a.started)
	note(a.fine.at(elapsed))
	note(a.coarse.at(elapsed))
}

// Activity returns the steps that overlap the last window of that length, or as many as there are since the start: of 5 s
// up to half an hour, of a minute for a longer one, at most MaxActivity.
func (a *Activity) Activity(window time.Duration) edgelens.Activity {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	elapsed := now.Sub(a.started)
	kept := &a.fine
	if window > stepsKept*fineStep {
		kept = &a.coarse
	}
	last := kept.numberAt(elapsed)
	kept.at(elapsed)
	count := min(int64(window/kept.step), stepsKept, last+1)
	first := last + 1 - max(count, 1)
	// The start by the present clock, which may have been set since, and in whole seconds, so that steps have the same
	// times whenever they are read.
	start := now.Add(-elapsed).Round(time.Second).UTC()
	activity := edgelens.Activity{Step: kept.step, From: start.Add(time.Duration(first) * kept.step), Until: now.UTC()}
	for n := first; n <= last; n++ {
		s := kept.number(n)
		activity.Steps = append(activity.Steps, edgelens.ActivityStep{
			At: start.Add(time.Duration(n) * kept.step), ActivityCounts: s.counts(), Waiting: s.waiting, Queued: s.queued,
		})
	}
	activity.Now = a.present(elapsed)
	return activity
}

// present returns the figures of the last minute: of whole fine steps, and the one in progress.
func (a *Activity) present(elapsed time.Duration) edgelens.ActivityNow {
	a.fine.at(elapsed)
	last := a.fine.numberAt(elapsed)
	first := max(0, last-int64(recent/fineStep)+1)
	var sum step
	for n := first; n <= last; n++ {
		sum.add(a.fine.number(n))
	}
	over := max(time.Second, elapsed-time.Duration(first)*fineStep)
	return edgelens.ActivityNow{ActivityCounts: sum.counts(), Over: over, Waiting: a.waiting, Queued: a.queued}
}

// ring has the newest steps, by their numbers since the start.
type ring struct {
	step  time.Duration
	steps []step
	// last is the number of the newest step.
	last int64
}

func newRing(length time.Duration, kept int) ring {
	return ring{step: length, steps: make([]step, kept)}
}

// numberAt returns the number of the step at that time since the start.
func (r *ring) numberAt(elapsed time.Duration) int64 { return int64(max(0, elapsed) / r.step) }

// at returns the step at that time since the start, and empties those that have come since.
func (r *ring) at(elapsed time.Duration) *step {
	wanted := r.numberAt(elapsed)
	for r.last = max(r.last, wanted-int64(len(r.steps))); r.last < wanted; {
		r.last++
		if s := r.number(r.last); s.used {
			*s = step{}
		}
	}
	s := r.number(r.last)
	s.used = true
	return s
}

// number returns the step of that number, which is one of the newest.
func (r *ring) number(n int64) *step { return &r.steps[n%int64(len(r.steps))] }

// step is what happened in one.
type step struct {
	// used is false for an empty one, whose memory is not written then.
	used            bool
	answered        durations
	refused, failed int64
	waiting, queued int64
}

func (s *step) add(other *step) {
	s.answered.merge(&other.answered)
	s.refused += other.refused
	s.failed += other.failed
}

func (s *step) counts() edgelens.ActivityCounts {
	return edgelens.ActivityCounts{Answered: s.answered.total(), Refused: s.refused, Failed: s.failed, P95: s.answered.quantile(0.95)}
}
