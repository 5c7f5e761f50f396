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

// Report counts what the terminals sent and received.
type Report struct {
	Dialect   string `json:"dialect"`
	Broker    string `json:"broker"`
	Terminals int    `json:"terminals"`
	// Connected is the number of connected terminals.
	Connected int `json:"connected"`
	// Seconds is the running time.
	Seconds float64 `json:"seconds"`
	// Seed is the random seed.
	Seed       uint64   `json:"seed"`
	Heartbeats Exchange `json:"heartbeats"`
	Onlines    Exchange `json:"onlines"`
	// Records are counted by what the receiver must make of them; their answers are the
	// dialect's acknowledgements. Damaged messages are not among them.
	Records Exchange `json:"records"`
	// Duplicates were sent twice on purpose, Resent because a confirmation was missing.
	Duplicates int `json:"duplicates"`
	Resent     int `json:"resent"`
	Reordered  int `json:"reordered"`
	// Damaged were damaged on purpose. Refused are messages that the broker rejected.
	Damaged int `json:"damaged"`
	Refused int `json:"refused"`
	// NoSubscriber are messages that the broker accepted without a subscriber to their
	// topic.
	NoSubscriber  int `json:"no_subscriber"`
	Commands      int `json:"commands"`
	Replies       int `json:"replies"`
	NotUnderstood int `json:"not_understood"`
}

// Exchange counts messages and their answers.
type Exchange struct {
	Sent int `json:"sent"`
	// Due is the number of messages for which the dialect has an answer.
	Due      int `json:"due"`
	Answered int `json:"answered"`
	// Unanswered are those that timed out, and CutOff those whose connection was lost
	// before the answer. The others may still be answered.
	Unanswered int `json:"unanswered"`
	CutOff     int `json:"cut_off"`
	// Latency is the time until the answer.
	Latency Latency `json:"latency_ms"`
}

// Latency holds percentiles of the time until the answer. In JSON it is in
// milliseconds.
type Latency struct{ P50, P95, P99, Max time.Duration }

// MarshalJSON implements json.Marshaler.
func (l Latency) MarshalJSON() ([]byte, error) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return json.Marshal(map[string]float64{"p50": ms(l.P50), "p95": ms(l.P95), "p99": ms(l.P99), "max": ms(l.Max)})
}

// ErrUnanswered: answers were missing, or a topic had no subscriber.
var ErrUnanswered = errors.New("answers are missing")

// Err returns nil where every due answer has arrived; else it wraps ErrUnanswered and
// lists what is missing.
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
	if r.NoSubscriber > 0 {
		missing = append(missing, fmt.Sprintf("%d messages had no subscriber", r.NoSubscriber))
	}
	if r.NotUnderstood > 0 {
		missing = append(missing, fmt.Sprintf("%d messages to terminals were not understood", r.NotUnderstood))
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnanswered, strings.Join(missing, "; "))
}

// maxSamples bounds the samples that percentiles are computed from.
const maxSamples = 50_000

// exchange counts an Exchange.
type exchange struct {
	Exchange
	samples []time.Duration
}

// published counts a message and the broker's confirmation.
func (e *exchange) published(f *Fleet, due bool, err error) {
	e.Sent++
	if due {
		e.Due++
	}
	if errors.Is(err, session.ErrNoSubscriber) {
		f.counts.NoSubscriber++
	}
}

func (e *exchange) answered(took time.Duration) {
	e.Answered++
	e.Latency.Max = max(e.Latency.Max, took)
	if len(e.samples) < maxSamples {
		e.samples = append(e.samples, took)
	} else if i := rand.IntN(e.Answered); i < maxSamples { // each is kept with the same probability
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
