package session

import (
	"context"
	"sync"
	"time"
)

const (
	// pauseTick is how often it is looked whether the process was paused, and pauseLate how
	// late a look must be for that.
	pauseTick = time.Second
	pauseLate = 5 * time.Second
)

// clocks are those of which at least one goes on while the process is paused: with SIGSTOP
// or `docker pause` both do, and where the machine is suspended booted does. A virtual
// machine that was paused has its wall clock put right afterwards.
type clocks func() (booted time.Duration, wall time.Time)

func systemClocks() (time.Duration, time.Time) { return sinceBoot(), time.Now().Round(0) } // without its monotonic reading

// begun is when the process began, for a clock that only goes forward.
var begun = time.Now()

// pauseDetector finds out that the process was paused: what is read then may have lain in
// the buffers of the connection.
type pauseDetector struct {
	clocks     clocks
	tick, late time.Duration

	mu     sync.Mutex
	booted time.Duration
	wall   time.Time
	// found has something in it when a pause was found and no marker has been sent.
	found chan struct{}
}

func newPauseDetector(clocks clocks, tick, late time.Duration) *pauseDetector {
	d := &pauseDetector{clocks: clocks, tick: tick, late: late, found: make(chan struct{}, 1)}
	d.booted, d.wall = clocks()
	return d
}

// look returns how long the process was paused since the last look, which was at most a
// tick ago where it was not; 0 for not at all.
func (d *pauseDetector) look() time.Duration {
	booted, wall := d.clocks()
	d.mu.Lock()
	defer d.mu.Unlock()
	passed := max(booted-d.booted, wall.Sub(d.wall))
	d.booted, d.wall = booted, wall
	if passed <= d.tick+d.late {
		return 0
	}
	return passed
}

// watchPauses looks until ctx ends.
func (s *Session) watchPauses(ctx context.Context) {
	tick := time.NewTicker(s.pauses.tick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.notePause()
		case <-s.pauses.found:
			// Not here: the connection may hang, and looks must not be late for that.
			s.watching.Go(func() { s.mark(ctx) })
		}
	}
}

// notePause takes what comes from now on for messages that have waited, until a marker
// that is sent now is back, if the process was paused. It is called before each message
// is handed on, since the ticker may be later.
func (s *Session) notePause() {
	paused := s.pauses.look()
	if paused == 0 {
		return
	}
	s.catchUp.paused(paused)
	select {
	case s.pauses.found <- struct{}{}:
	default: // the marker to be sent is the new one
	}
	s.log.Warn("the process was paused: messages that may have waited meanwhile are not fresh", "paused", paused.Round(time.Second))
}
