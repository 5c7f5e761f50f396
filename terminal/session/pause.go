package session

import (
	"context"
	"sync"
	"time"
)

const (
	// pauseTick is the interval of the checks for a pause of the process, and pauseLate
	// how late a check must be to indicate one.
	pauseTick = time.Second
	pauseLate = 5 * time.Second
)

// clocks returns two clocks, of which at least one advances while the process is paused:
// both do with SIGSTOP or `docker pause`, booted does while the machine is suspended. The
// wall clock of a paused virtual machine is corrected afterwards.
type clocks func() (booted time.Duration, wall time.Time)

func systemClocks() (time.Duration, time.Time) { return sinceBoot(), time.Now().Round(0) } // without its monotonic reading

// processStart is the start of the process, for a monotonic clock.
var processStart = time.Now()

// pauseDetector detects pauses of the process: messages read after one may have waited in
// the buffers of the connection.
type pauseDetector struct {
	clocks     clocks
	tick, late time.Duration

	mu     sync.Mutex
	booted time.Duration
	wall   time.Time
	// found holds a token while a pause was found and no marker has been sent.
	found chan struct{}
}

func newPauseDetector(clocks clocks, tick, late time.Duration) *pauseDetector {
	d := &pauseDetector{clocks: clocks, tick: tick, late: late, found: make(chan struct{}, 1)}
	d.booted, d.wall = clocks()
	return d
}

// look returns how long the process was paused since the last call, which is at most a
// tick ago without a pause; 0 for no pause.
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

// watchPauses checks for pauses until ctx ends.
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
			// In a goroutine: the connection may hang, and must not delay the checks.
			s.watching.Go(func() { s.mark(ctx) })
		}
	}
}

// notePause checks for a pause. After one, messages count as possibly delayed until a new
// marker returns. It is called before each message is passed on, since the ticker may be
// later.
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
	s.log.Warn("the process was paused; messages that may have waited are not fresh", "event", "process_paused", "paused", paused)
}
