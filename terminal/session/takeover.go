package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// Reasons of DISCONNECT (MQTT 5, 3.14.2.1) that mean something to us.
const (
	reasonTakenOver = 0x8e // "Session taken over": another client has connected with our client id
	reasonTooLarge  = 0x95 // "Packet too large"
)

const (
	// The bounds of the wait before we connect again after our session was taken
	// over: whoever took it over may be a copy of us that does the same.
	minTakeoverWait, maxTakeoverWait = 5 * time.Second, 10 * time.Minute
	// takeoverMemory is how long a connection must last until earlier takeovers
	// do not count any more.
	takeoverMemory = 15 * time.Minute
	// shortLived is how long a connection lasts at most that may have been taken
	// over. Brokers such as mosquitto 2.0.11 close it without a word; suspicious is
	// how many such in a row, each followed by one that is accepted at once, are
	// taken for that.
	shortLived = 30 * time.Second
	suspicious = 4
)

// errTakenOver keeps us from connecting for a while.
var errTakenOver = errors.New("the session was taken over by another client; waiting before connecting again")

// takeover is what is known of another client with our client id. It is safe for
// use by many goroutines.
type takeover struct {
	mu    sync.Mutex
	times int       // in a row
	last  time.Time // when it happened last
	until time.Time // when we connect again
	// connected is since when there is a connection, and short how many in a row
	// were short-lived.
	connected time.Time
	short     int
}

// begun notes a connection.
func (t *takeover) begun(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connected = now
}

// ended notes that a connection ended without a word, and returns how many such in
// a row were short-lived.
func (t *takeover) ended(now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.connected) > shortLived {
		t.short = 0
		return 0
	}
	if t.short++; t.short >= suspicious {
		t.times, t.last = t.short, now
	}
	return t.short
}

// away notes that the broker does not let us in: then it is not another client
// that ends our connections.
func (t *takeover) away() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.short = 0
}

// attempts is how many attempts to connect short-lived connections count for.
func (t *takeover) attempts() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, t.short-1)
}

// note counts a takeover and returns how many there were in a row, and the wait.
func (t *takeover) note(now time.Time) (times int, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	t.times++
	wait = min(minTakeoverWait<<min(t.times-1, 10), maxTakeoverWait)
	wait = wait/2 + rand.N(wait/2) // so that the two do not take turns for ever
	t.last, t.until = now, now.Add(wait)
	return t.times, wait
}

func (t *takeover) forget(now time.Time) {
	if now.Sub(t.last) > max(takeoverMemory, 2*t.until.Sub(t.last)) {
		t.times = 0
	}
}

// left is how long we must not connect yet.
func (t *takeover) left(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until.Sub(now)
}

// count returns how many takeovers there were lately, in a row.
func (t *takeover) count(now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	return t.times
}

// serverDisconnected is called where the broker says why it ends the connection.
func (s *Session) serverDisconnected(d *paho.Disconnect) {
	s.lastReason.Store(uint32(d.ReasonCode))
	if d.ReasonCode != reasonTakenOver {
		return
	}
	times, wait := s.takeover.note(time.Now())
	s.log.Error("another client has connected with our client id and taken the session over; is this data folder a copy that runs twice?",
		"times", times, "wait", wait.Round(time.Millisecond), "advice", takeoverAdvice)
}

// noteEnd is called where a connection has ended. Where the broker said why,
// serverDisconnected is called, too.
func (s *Session) noteEnd() {
	short := s.takeover.ended(time.Now())
	if short >= suspicious && short&(short-1) == 0 {
		s.log.Error("the broker ends each connection soon after it began: another client may connect with our client id; is this data folder a copy that runs twice?",
			"times", short, "advice", takeoverAdvice)
	}
}

// takeoverAdvice is what to do where two have one identity.
const takeoverAdvice = `stop one of the two, remove the file "node" from its data folder, and start it again: it gets an identity of its own`

// TakenOver returns an error where another client has taken our session over
// lately; nil where none has.
func (s *Session) TakenOver() error {
	times := s.takeover.count(time.Now())
	if times == 0 {
		return nil
	}
	return fmt.Errorf("another client connects to the MQTT broker with our client id %s, or seems to, and has taken the session over %d times; if this data folder is a copy that runs twice, %s",
		s.config.ClientID, times, takeoverAdvice)
}
