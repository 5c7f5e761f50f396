package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"edgelens/terminal/session"
)

// Report is what the terminals did and what came of it.
type Report struct {
	Dialect   string `json:"dialect"`
	Broker    string `json:"broker"`
	Terminals int    `json:"terminals"`
	// Connected is how many are now.
	Connected int `json:"connected"`
	// Seconds is how long it has gone on.
	Seconds float64 `json:"seconds"`
	// Seed makes the same choices again.
	Seed       uint64   `json:"seed"`
	Heartbeats Exchange `json:"heartbeats"`
	Onlines    Exchange `json:"onlines"`
	// Records are told apart by what the receiver must make of them; their
	// answers are the dialect's acknowledgements. Lies are not among them.
	Records Exchange `json:"records"`
	// Duplicates were sent once more on purpose, Resent because a confirmation
	// was missing.
	Duplicates int `json:"duplicates"`
	Resent     int `json:"resent"`
	Reordered  int `json:"reordered"`
	// Lies were damaged on purpose. Refused are those messages that the broker
	// would not take.
	Lies    int `json:"lies"`
	Refused int `json:"refused"`
	// Unheard are messages that the broker has taken, and to which nobody had
	// subscribed.
	Unheard       int `json:"unheard"`
	Commands      int `json:"commands"`
	Replies       int `json:"replies"`
	NotUnderstood int `json:"not_understood"`
}

// Exchange is what was said and answered.
type Exchange struct {
	Sent int `json:"sent"`
	// Due is for how many of them the dialect has an answer.
	Due      int `json:"due"`
	Answered int `json:"answered"`
	// Unanswered are those whose time was up, and CutOff those whose connection
	// went away meanwhile. The others may still be answered.
	Unanswered int `json:"unanswered"`
	CutOff     int `json:"cut_off"`
	// Latency is how long answers took.
	Latency Latency `json:"latency_ms"`
}

// Latency is how long answers took: half of them at most P50 and so on. In JSON
// it is in milliseconds.
type Latency struct{ P50, P95, P99, Max time.Duration }

// MarshalJSON implements json.Marshaler.
func (l Latency) MarshalJSON() ([]byte, error) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return json.Marshal(map[string]float64{"p50": ms(l.P50), "p95": ms(l.P95), "p99": ms(l.P99), "max": ms(l.Max)})
}

// ErrUnanswered: answers were missing, or nobody listened.
var ErrUnanswered = errors.New("answers are missing")

// Err returns nil where every answer that was due has come; else it wraps
// ErrUnanswered and says what is missing.
func (r Report) Err() error {
	var missing []string
	for _, of := range []struct {
		what string
		Exchange
	}{{"heartbeats", r.Heartbeats}, {"onlines", r.Onlines}, {"records", r.Records}} {
		if of.Unanswered > 0 {
			missing = append(missing, fmt.Sprintf("%d of %d %s were not answered", of.Unanswered, of.Due, of.what))
		}
	}
	if r.Unheard > 0 {
		missing = append(missing, fmt.Sprintf("nobody has subscribed to the topics of %d messages", r.Unheard))
	}
	if r.NotUnderstood > 0 {
		missing = append(missing, fmt.Sprintf("%d messages to terminals were not understood", r.NotUnderstood))
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnanswered, strings.Join(missing, "; "))
}

// maxSamples bounds what is kept to tell percentiles by.
const maxSamples = 50_000

// exchange counts an Exchange.
type exchange struct {
	Exchange
	samples []time.Duration
}

// said counts what the broker was handed, and what it said of it.
func (e *exchange) said(f *Fleet, due bool, err error) {
	e.Sent++
	if due {
		e.Due++
	}
	if errors.Is(err, session.ErrNoSubscriber) {
		f.counts.Unheard++
	}
}

func (e *exchange) answered(took time.Duration) {
	e.Answered++
	e.Latency.Max = max(e.Latency.Max, took)
	if len(e.samples) < maxSamples {
		e.samples = append(e.samples, took)
	} else if i := rand.IntN(e.Answered); i < maxSamples { // each is kept with the same chance
		e.samples[i] = took
	}
}

func (e *exchange) report() Exchange {
	r := e.Exchange
	if sorted := slices.Clone(e.samples); len(sorted) > 0 {
		slices.Sort(sorted)
		at := func(percent int) time.Duration { return sorted[(len(sorted)-1)*percent/100] }
		r.Latency.P50, r.Latency.P95, r.Latency.P99 = at(50), at(95), at(99)
	}
	return r
}
