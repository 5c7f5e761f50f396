package edgelens

import "time"

// SystemState is how the service and its machine are at a moment. What is not known is zero or nil.
type SystemState struct {
	At time.Time
	// StartedAt is when the process started.
	StartedAt time.Time
	// Interpreters are those of each model in use, by name.
	Interpreters map[string]InterpreterCounts
	// Stages are the durations of recognitions that were not from the cache, since the start.
	Stages []StageLatency
	Cache  CacheCounts
	// Waiting are the requests that wait for an interpreter; Queued and Running are jobs.
	Waiting, Queued, Running int64
	Sinks                    []SinkState
	// Broker is nil where there is no MQTT.
	Broker  *LinkState
	Redis   LinkState
	Machine MachineState
	Storage StorageState
}

// InterpreterCounts counts the interpreters of a model.
type InterpreterCounts struct {
	// Stuck ones are in a run that does not end.
	Idle, Busy, Stuck int
}

// StageLatency is how long a stage takes.
type StageLatency struct {
	// Stage is "queue", "decode", "preprocess", "inference", "postprocess" or "quality".
	Stage string
	Count int64
	// P50 and P95 are estimated from a histogram.
	Mean, P50, P95 time.Duration
}

// CacheCounts count recognitions by what the result cache did.
type CacheCounts struct{ Hits, Misses, Bypasses int64 }

// SinkState is the state of the deliveries to a sink.
type SinkState struct {
	Sink string
	// Events are undelivered, SetAside of them never accepted; Dropped were removed undelivered since the start.
	Events, Bytes, SetAside, Dropped int64
	// FailingSince is zero while deliveries succeed; Reason is why they fail.
	FailingSince time.Time
	Reason       string
}

// LinkState is the state of a server that the service uses.
type LinkState struct {
	Up bool
	// Private: the service started it for itself.
	Private bool
	// Reason is why it is down, or a warning.
	Reason string
}

// MachineState is the state of the machine.
type MachineState struct {
	Celsius *float64
	// Throttled are sentences on why it is slower than it could be.
	Throttled []string
	// Load is the load average of one minute.
	Load *float64
	// ProcessBytes is the resident memory of the service, and AvailableBytes what programs can still use.
	ProcessBytes, AvailableBytes int64
}

// StorageState is the state of the data folder and its disk.
type StorageState struct {
	DatabaseBytes, ImageBytes int64
	DiskFreeBytes, DiskBytes  int64
	// DroppedSyncResults were not kept since the start because their queue was full; nil where none are kept.
	DroppedSyncResults *int64
}
