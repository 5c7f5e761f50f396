// Package record keeps what a benchmark measured, sample by sample, in a folder
// of its own. Reports are derived from such a folder and from nothing else.
//
// A folder has three files. run.json is a Run. samples.csv has a Sample a line
// and figures.csv a Figure a line, each with a header (RFC 4180; times are
// nanoseconds since Run.Started).
package record

import (
	"encoding/json"
	"time"

	"edgelens/benchmarks/board"
)

// The ways to load a service, and what else is measured.
const (
	ModeClosed  = "closed"  // connections that each send one request after the other
	ModeOpen    = "open"    // requests at a rate, whatever becomes of those before
	ModeModel   = "model"   // a model alone
	ModeStage   = "stage"   // one stage of the way of an image
	ModeCeiling = "ceiling" // the whole way in a bare loop on every core
	ModeMQTT    = "mqtt"    // terminals' records until their events
	ModeSoak    = "soak"    // a closed loop without a pause, for the memory
)

// Good is the status of a sample that went well; any other says what did not:
// an HTTP status code or a word.
const Good = "ok"

// Run is what is known of a benchmark besides its measurements.
type Run struct {
	// ID is the folder's name.
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Ended is zero where the benchmark was interrupted.
	Ended   time.Time `json:"ended"`
	Command []string  `json:"command"`
	// Version and Commit are edgelens's, Go that of the compiler.
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	// Model is the default model's name and Digest that of its file.
	Model  string `json:"model"`
	Digest string `json:"model_digest"`
	// Settings are the service's effective settings as an edgelens.yaml; for a
	// service of somebody else, its address.
	Settings string `json:"settings"`
	// Peer is what the service that ours is measured beside is made of.
	Peer string `json:"peer,omitempty"`
	Seed uint64 `json:"seed"`
	// Rounds is how often each case was measured.
	Rounds int         `json:"rounds"`
	Board  board.Facts `json:"board"`
	Before board.State `json:"before"`
	After  board.State `json:"after"`
	Cases  []Case      `json:"cases"`
}

// Problems returns why the run's figures are not good; none where they are.
func (r *Run) Problems() []string {
	errs := board.Problems(r.Before, r.After)
	if r.Ended.IsZero() {
		errs = append(errs, "it was interrupted: some runs are missing")
	}
	return errs
}

// Case is one thing that is measured, Run.Rounds times.
type Case struct {
	Suite string `json:"suite"`
	// Name is unique within the suite.
	Name string `json:"name"`
	Mode string `json:"mode"`
	// Kind is what is asked for: sync, cached, async or mixed; or which stage.
	Kind  string `json:"kind,omitempty"`
	Image string `json:"picture,omitempty"`
	// Connections is how many a closed loop has.
	Connections int `json:"connections,omitempty"`
	// Rate is requests a second in an open loop; 0 where only LoadOfPeak is
	// known: a share of the throughput of the closed loop in the same round.
	Rate       float64 `json:"rate,omitempty"`
	LoadOfPeak float64 `json:"load_of_peak,omitempty"`
	Arrivals   string  `json:"arrivals,omitempty"`
	// Service is who answers, where there are several, Model what it runs, and
	// Beside the name of our case with which another service's is to be compared.
	Service string `json:"service,omitempty"`
	Model   string `json:"model,omitempty"`
	Beside  string `json:"beside,omitempty"`
	// Delegate, Threads and Interpreters are a model's.
	Delegate     string `json:"delegate,omitempty"`
	Threads      int    `json:"threads,omitempty"`
	Interpreters int    `json:"interpreters,omitempty"`
	// Form is float32 or int8 where the model was rewritten to be that; empty
	// where it is the model itself.
	Form string `json:"form,omitempty"`
	// Runs is how often the case was measured, one run after the other, where that
	// is not Run.Rounds.
	Runs int `json:"runs,omitempty"`
}

// Key tells cases apart.
func (c Case) Key() string { return c.Suite + "/" + c.Name }

// Sample is one request, or one run of a stage.
type Sample struct {
	Suite, Case string
	// Run is 0 for the warm-up, and counts from 1 then.
	Run    int
	Worker int
	// Due is when it was to begin, Sent when it did, Done when the whole answer
	// was there; since Run.Started.
	Due, Sent, Done time.Duration
	// Status is Good, or what went wrong.
	Status string
}

// Latency is from when the sample was due.
func (s Sample) Latency() time.Duration { return s.Done - s.Due }

// Figure is something measured once in a run of a case.
type Figure struct {
	Suite, Case string
	Run         int
	// Name is one of the Figure names below or a suite's own, with its unit.
	Name  string
	Value float64
}

// The names of figures.
const (
	// FigureBegin and FigureEnd are the window in which answers are counted.
	FigureBegin = "window_begin_seconds"
	FigureEnd   = "window_end_seconds"
	// FigureCPU is the CPU time of the server, or of this process where there is
	// none, from the window's begin until the last answer.
	FigureCPU = "cpu_seconds"
	// FigureMemory is what is resident of the server after the case.
	FigureMemory = "resident_bytes"
	// FigureReady is from exec to ready, FigureIdle what is resident then.
	FigureReady = "ready_seconds"
	FigureIdle  = "resident_idle_bytes"
	// FigureRate is the rate of an open loop.
	FigureRate = "rate"
)

func encode(run *Run) ([]byte, error) {
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}
