package session

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"edgelens/internal/backoff"

	"github.com/eclipse/paho.golang/paho"
)

// Reason codes of DISCONNECT (MQTT 5, 3.14.2.1) that are handled.
const (
	reasonTakenOver = 0x8e // "Session taken over": another client has connected with our client id
	reasonTooLarge  = 0x95 // "Packet too large"
)

const (
	// minTakeoverWait and maxTakeoverWait bound the wait before we reconnect after our
	// session was taken over: the other client may be a copy of us that does the same.
	minTakeoverWait, maxTakeoverWait = 5 * time.Second, 10 * time.Minute
	// takeoverMemory is how long a connection must last to reset the count of
	// takeovers.
	takeoverMemory = 15 * time.Minute
	// shortLived is the maximum duration of a connection that may have been taken over.
	// Brokers such as mosquitto 2.0.11 close it without DISCONNECT; takeoverThreshold is
	// the number of consecutive such connections, each followed by an accepted one, that
	// count as a takeover.
	shortLived        = 30 * time.Second
	takeoverThreshold = 4
)

// errTakenOver delays the next connection attempt.
var errTakenOver = errors.New("the session was taken over by another client; waiting before connecting again")

// takeover tracks another client with our client id. It is safe for use by many
// goroutines.
type takeover struct {
	mu    sync.Mutex
	times int       // consecutive
	last  time.Time // the latest
	until time.Time // the next connection attempt
	// connected is the start of the present connection, and short the number of
	// consecutive short-lived ones.
	connected time.Time
	short     int
}

// begun records a new connection.
func (t *takeover) begun(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connected = now
}

// ended records a connection that ended without DISCONNECT, and returns the number of
// consecutive short-lived ones.
func (t *takeover) ended(now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.connected) > shortLived {
		t.short = 0
		return 0
	}
	if t.short++; t.short >= takeoverThreshold {
		t.times, t.last = t.short, now
	}
	return t.short
}

// connectFailed records that the broker does not accept a connection: then it is not
// another client that ends ours.
func (t *takeover) connectFailed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.short = 0
}

// attempts returns the number of connection attempts that short-lived connections count
// for.
func (t *takeover) attempts() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, t.short-1)
}

// note counts a takeover and returns the number of consecutive ones, and the wait.
func (t *takeover) note(now time.Time) (times int, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	t.times++
	wait = backoff.After(t.times, minTakeoverWait, maxTakeoverWait) // with jitter, so that the two do not alternate forever
	t.last, t.until = now, now.Add(wait)
	return t.times, wait
}

func (t *takeover) forget(now time.Time) {
	if now.Sub(t.last) > max(takeoverMemory, 2*t.until.Sub(t.last)) {
		t.times = 0
	}
}

// left returns the rest of the wait.
func (t *takeover) left(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until.Sub(now)
}

// count returns the number of recent consecutive takeovers.
func (t *takeover) count(now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	return t.times
}

// serverDisconnected is called for a DISCONNECT of the broker.
func (s *Session) serverDisconnected(d *paho.Disconnect) {
	s.lastReason.Store(uint32(d.ReasonCode))
	if d.ReasonCode != reasonTakenOver {
		return
	}
	times, wait := s.takeover.note(time.Now())
	s.log.Error("another client connected with our client id and took the session over; this data folder may be a copy that runs twice", "event", "session_taken_over",
		"times", times, "wait", wait, "advice", takeoverAdvice)
}

// noteEnd is called when a connection has ended. After a DISCONNECT of the broker,
// serverDisconnected is called, too.
func (s *Session) noteEnd() {
	short := s.takeover.ended(time.Now())
	if short >= takeoverThreshold && short&(short-1) == 0 {
		s.log.Error("the broker ends each connection after a short time: another client may use our client id; this data folder may be a copy that runs twice", "event", "session_taken_over",
			"times", short, "advice", takeoverAdvice)
	}
}

// takeoverAdvice is what to do where two services have one identity.
const takeoverAdvice = `stop one of the two, remove the file "node" from its data folder, and start it again: it gets an identity of its own`

// TakenOver returns an error where another client has recently taken our session over;
// nil where none has.
func (s *Session) TakenOver() error {
	times := s.takeover.count(time.Now())
	if times == 0 {
		return nil
	}
	return fmt.Errorf("another client connects to the MQTT broker with our client id %s, or seems to, and has taken the session over %d times; if this data folder is a copy that runs twice, %s",
		s.config.ClientID, times, takeoverAdvice)
}
