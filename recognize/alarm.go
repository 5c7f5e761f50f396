package recognize

import "time"

// alarm calls a function once, at the earliest time that was asked for. It belongs to an
// admission, whose lock guards it, and which the function gets.
type alarm struct {
	timer *time.Timer
	at    time.Time // the zero time while it is not set
}

// within sets the alarm of a, unless it is set for an earlier time.
func (l *alarm) within(delay time.Duration, a *admission, call func()) {
	at := a.now().Add(delay)
	switch {
	case l.timer == nil:
		l.timer = time.AfterFunc(delay, func() {
			a.mu.Lock()
			defer a.mu.Unlock()
			l.at = time.Time{}
			call()
		})
	case !l.at.IsZero() && !at.Before(l.at):
		return
	default:
		l.timer.Reset(delay)
	}
	l.at = at
}
