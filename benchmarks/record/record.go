// Package record stores the measurements of a benchmark, sample by sample, in a folder of its own. Reports are derived
// from such a folder alone.
//
// A folder has three files. run.json is a Run. samples.csv has a Sample a line and figures.csv a Figure a line, each
// with a header (RFC 4180; times are nanoseconds since Run.Started).
// nanoseconds since Run.Started).
package record

import (
	"encoding/json"
	"time"

	"edgelens/internal/board"
)

// The kinds of load on a service, and the other measurements.
const (
	ModeClosed  = "closed"  // connections that each send one request after the other
	ModeOpen    = "open"    // requests at a rate, regardless of earlier ones
	ModeModel   = "model"   // a model alone
	ModeStage   = "stage"   // one stage of recognition
	ModeCeiling = "ceiling" // full recognition in a bare loop on every core
	ModeMQTT    = "mqtt"    // terminals' records until their events
	ModeSoak    = "soak"    // a closed loop without a pause, for the memory
)

// Good is the status of a successful sample; any other is the error: an HTTP status code or a word.
const Good = "ok"

// Run is the description of a benchmark without its measurements.
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
	// Settings are the service's effective settings as an edgelens.yaml; for a service that was not started by bench,
	// its address.
	Settings string `json:"settings"`
	// Peer describes the components of the compared service.
	Peer string `json:"peer,omitempty"`
	Seed uint64 `json:"seed"`
	// Rounds is how often each case was measured.
	Rounds int         `json:"rounds"`
	Board  board.Facts `json:"board"`
	Before board.State `json:"before"`
	After  board.State `json:"after"`
	Cases  []Case      `json:"cases"`
}

// Problems returns why the run's figures are invalid; none where they are valid.
func (r *Run) Problems() []string {
	errs := board.Problems(r.Before, r.After)
	if r.Ended.IsZero() {
		errs = append(errs, "it was interrupted: some runs are missing")
	}
	return errs
}

// Case is one measurement, done Run.Rounds times.
type Case struct {
	Suite string `json:"suite"`
	// Name is unique within the suite.
	Name string `json:"name"`
	Mode string `json:"mode"`
	// Kind is the kind of request: sync, cached, async or mixed; or the stage.
	Kind  string `json:"kind,omitempty"`
	Image string `json:"picture,omitempty"`
	// Connections is how many a closed loop has.
	Connections int `json:"connections,omitempty"`
	// Rate is requests a second in an open loop; 0 where only LoadOfPeak is
	// known: a share of the throughput of the closed loop in the same round.
	Rate       float64 `json:"rate,omitempty"`
	LoadOfPeak float64 `json:"load_of_peak,omitempty"`
	Arrivals   string  `json:"arrivals,omitempty"`
	// Service is the service, where there are several, Model its model, and Beside the name of the edgelens case with
	// which another service's is compared.
	Service string `json:"service,omitempty"`
	Model   string `json:"model,omitempty"`
	Beside  string `json:"beside,omitempty"`
	// Runtime, Delegate, Threads and Interpreters are the settings of a model.
	Runtime      string `json:"runtime,omitempty"`
	Delegate     string `json:"delegate,omitempty"`
	Threads      int    `json:"threads,omitempty"`
	Interpreters int    `json:"interpreters,omitempty"`
	// Variant is float32 or int8 where the model was converted to it; empty for the model itself.
	Variant string `json:"form,omitempty"`
	// Runs is the number of consecutive runs of the case, where it differs from Run.Rounds.
	Runs int `json:"runs,omitempty"`
}

// Key identifies a case.
func (c Case) Key() string { return c.Suite + "/" + c.Name }

// Sample is one request, or one run of a stage.
type Sample struct {
	Suite, Case string
	// Run is 0 for the warm-up, and counts from 1 after it.
	Run    int
	Worker int
	// Due is when it should begin, Sent when it did, Done when the whole answer was there; since Run.Started.
	Due, Sent, Done time.Duration
	// Status is Good, or the error.
	Status string
}

// Latency counts from the due time.
func (s Sample) Latency() time.Duration { return s.Done - s.Due }

// Figure is a value that is measured once in a run of a case.
type Figure struct {
	Suite, Case string
	Run         int
	// Name is one of the Figure names below or a suite's own, with its unit.
	Name  string
	Value float64
}

// The names of figures.
const (
	// FigureBegin and FigureEnd bound the window in which answers count.
	FigureBegin = "window_begin_seconds"
	FigureEnd   = "window_end_seconds"
	// FigureCPU is the CPU time of the server, or of this process where there is none, from the start of the window
	// until the last answer.
	FigureCPU = "cpu_seconds"
	// FigureMemory is the resident memory of the server after the case.
	FigureMemory = "resident_bytes"
	// FigureReady is the time from exec to ready, FigureIdle the resident memory then.
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
