package edgelens

import "time"

// The kinds of what the ledger keeps.
const (
	// KeptJobs are jobs with their results, KeptResults other results, KeptRecords those of terminals with their deliveries.
	KeptJobs    = "jobs"
	KeptResults = "results"
	KeptRecords = "records"
	// KeptEvents are the events of streams, KeptUndelivered those that a sink has not accepted yet.
	KeptEvents      = "events"
	KeptUndelivered = "undelivered"
	// KeptImages are those of jobs.
	KeptImages = "images"
	// KeptIDs are the ids of records, by which duplicates are recognized.
	KeptIDs           = "ids"
	KeptCommands      = "commands"
	KeptSensorPoints  = "sensor_points"
	KeptSensorMinutes = "sensor_minutes"
	KeptInsights      = "insights"
	KeptStateChanges  = "state_changes"
	KeptExamples      = "examples"
	// KeptVectors are those of images, for the search of similar ones.
	KeptVectors = "vectors"
)

// Kept is what the ledger keeps at a moment.
type Kept struct {
	At time.Time
	// MaxBytes bounds what the kinds with a share take together with all that has no bound of its own; Bytes is what that takes.
	MaxBytes, Bytes int64
	Kinds           []KeptKind
}

// KeptKind is what the ledger keeps of one kind, and its bounds; a bound of 0 is none.
type KeptKind struct {
	Kind string
	// Rows is how many there are; Estimated is true where they were not counted.
	Rows      int64
	Estimated bool
	// Bytes is about what they take: rows with their indexes, and files.
	Bytes int64
	// Oldest is the time of the oldest one, zero for none.
	Oldest time.Time
	// MaxAge is how long one is kept, MaxRows how many are, and MaxBytes how large they may be.
	MaxAge            time.Duration
	MaxRows, MaxBytes int64
	// Share is the part of Kept.MaxBytes that other kinds cannot take from this one.
	Share int64
	// Bound is the bound that removes the oldest ones now.
	Bound KeptBound
}

// KeptBound is a bound of a kind.
type KeptBound string

// The bounds. BoundSpace is Kept.MaxBytes.
const (
	BoundNone  KeptBound = ""
	BoundAge   KeptBound = "age"
	BoundRows  KeptBound = "rows"
	BoundBytes KeptBound = "bytes"
	BoundSpace KeptBound = "space"
)
