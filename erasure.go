package edgelens

import "time"

// ErasureFilter selects the results and records to be erased: those for which all
// set fields hold.
type ErasureFilter struct {
	// ID is that of a result or record.
	ID string
	// Device is its source.
	Device string
	// Person is the number or the name of the person, as a terminal reported it. It
	// selects records alone.
	Person string
	// Since and Until bound the time of a record's arrival, or of another result: not
	// before Since, and before Until.
	Since, Until time.Time
}

// IsEmpty reports whether it would select everything.
func (f ErasureFilter) IsEmpty() bool { return f == ErasureFilter{} }

// Erased counts what was erased, or would be.
type Erased struct {
	Results, Records, Jobs int64
	// Examples are those that were made of the results.
	Examples int64
	// Images and ImageBytes are of the images that were stored.
	Images, ImageBytes int64
	// Undelivered are the events that were not delivered yet, of each sink.
	Undelivered int64
	// Complete is false where there may be more: the same call goes on.
	Complete bool
}

// Add adds the counts of other, whose Complete counts.
func (e *Erased) Add(other Erased) {
	e.Results += other.Results
	e.Records += other.Records
	e.Jobs += other.Jobs
	e.Examples += other.Examples
	e.Images += other.Images
	e.ImageBytes += other.ImageBytes
	e.Undelivered += other.Undelivered
	e.Complete = other.Complete
}

// SeriesErasure selects the series of sensors to be erased: one of them, or all of a device.
type SeriesErasure struct {
	// Series is the id of a series.
	Series string
	// Device is a sensor, or a device with streams of edgelens' own.
	Device string
}

// ErasedSeries counts what was erased of series, or would be.
type ErasedSeries struct {
	// Series are those that were stored.
	Series int64
	// Points are their single values, and Minutes the summaries of minutes.
	Points, Minutes int64
	// Insights are those about them, and Undelivered the entries of these that were not delivered yet, of each sink.
	Insights, Undelivered int64
	// Complete is false where there may be more: the same call goes on.
	Complete bool
}
