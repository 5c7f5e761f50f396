package edgelens

import "time"

// StoredSeries is a series as it is kept on disk.
type StoredSeries struct {
	// ID is that of SeriesID.
	ID string
	// Device, Field, Unit and Location are those of the latest reading.
	Device, Field, Unit, Location string
	// LastAt is the time of the latest stored point, and Last its value.
	LastAt time.Time
	Last   float64
}

// SeriesPast is a stored series with its newest points.
type SeriesPast struct {
	StoredSeries
	// Points are those that were not replayed, the oldest first. Of an anomaly, only the value is known.
	Points []Point
}

// PointQuery selects stored points of a series.
type PointQuery struct {
	// Series is the id of SeriesID.
	Series string
	// Since and Until bound the time of the points: not before Since, and before Until.
	Since, Until time.Time
	// Step is the time that one summary covers; 0 is one for each value.
	Step time.Duration
}

// PointHistory is the stored points of a series, the oldest first.
type PointHistory struct {
	// Step is the time that each summary covers: that of the query, or a longer one where there
	// would be too many or single values are no longer kept; 0 is one for each value.
	Step   time.Duration
	Points []PointSummary
}

// PointSummary summarizes the values within a time.
type PointSummary struct {
	// At is the beginning of the time, or that of a single value.
	At time.Time
	// Mean, Min and Max are of the Count values; Anomalies is how many of them are marked.
	Mean, Min, Max   float64
	Count, Anomalies int64
}

// InsightFilter selects a page of insights; empty fields select everything.
type InsightFilter struct {
	// Devices selects those about these devices; empty means all.
	Devices []string
	// Since bounds Insight.At: not before.
	Since time.Time
	// Limit and Cursor are those of a JobFilter.
	Limit  int
	Cursor string
}
