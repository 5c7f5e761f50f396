package edgelens

import "time"

// Series are the readings of one field of one device, with their statistics.
type Series struct {
	// ID is that of SeriesID.
	ID string
	// Device, Field, Unit and Location are those of the latest Reading.
	Device, Field, Unit, Location string
	// FirstAt is when the first value of this process arrived, LastAt the time of the latest
	// one and ReceivedAt its arrival. Last is its value.
	FirstAt, LastAt, ReceivedAt time.Time
	Last                        float64
	// Freshness and FreshnessReason are those of the latest reading.
	Freshness       Freshness
	FreshnessReason string
	// Points counts the values since the series was first seen by this process; Unknown
	// those of an unknown time among them, Replayed the replayed ones beside them, which
	// are stored, but in no statistics.
	Points, Unknown, Replayed int64
	// Anomalies counts the marked ones, and LastAnomalyAt is the time of the latest.
	Anomalies     int64
	LastAnomalyAt time.Time
	// Window summarizes the latest values.
	Window WindowStats
	// Quantiles are of up to 24 hours; nil for none yet.
	Quantiles []Quantile
	// Interval is the usual time between two arrivals, the 90th percentile of the window;
	// 0 where it is unknown.
	Interval time.Duration
	// Silent reports that more intervals have passed without a value than the settings
	// allow, since SilentSince, the latest arrival.
	Silent      bool
	SilentSince time.Time
	// Stuck reports that the value has not changed for a whole window, although it did
	// before; StuckSince is when it last changed.
	Stuck      bool
	StuckSince time.Time
	// Trend has the directions by two rules.
	Trend Trend
	// Season is the period of the values; nil where none was found.
	Season *Season
	// Prediction is of the next value; nil where no method was better than to repeat the
	// last one, for the reason NoPrediction.
	Prediction   *Forecast
	NoPrediction string
	// AnalyzedAt is when trend, season and prediction were last computed.
	AnalyzedAt time.Time
}

// WindowStats summarizes a window of values.
type WindowStats struct {
	// Count is the number of values, and Span the time from the first to the last.
	Count int
	Span  time.Duration
	// Min, Max, Mean, Median and Deviation (the sample standard deviation, 0 below two
	// values) are of the window.
	Min, Max, Mean, Median, Deviation float64
	// MAD is the median absolute deviation from the median.
	MAD float64
	// Rate is the number of values per second; 0 where it is unknown.
	Rate float64
}

// Quantile is a value below which a share of the values lies.
type Quantile struct {
	Share, Value float64
}

// Direction is that of a trend.
type Direction string

// The directions of a trend.
const (
	DirectionUnknown    Direction = "unknown" // too few values
	DirectionStable     Direction = "stable"
	DirectionIncreasing Direction = "increasing"
	DirectionDecreasing Direction = "decreasing"
)

// Trend is the direction of a series by two rules.
type Trend struct {
	// Simple compares the last five values: the mean of the last three against that of the
	// first two, more than 10% apart.
	Simple Direction
	// Recent is by slope and significance over the latest values, Long over means of ten
	// minutes.
	Recent, Long Slope
}

// Slope is a trend by the slope of Theil and Sen with the test of Mann and Kendall.
type Slope struct {
	Direction Direction
	// PerHour is the median slope per hour; P the probability of such an order of values
	// without a trend.
	PerHour, P float64
	// Change is the change over the Span of the Count values that were tested.
	Change float64
	Span   time.Duration
	Count  int
}

// Season is a period after which values repeat.
type Season struct {
	Period time.Duration
	// Strength is the autocorrelation at the period, at most 1.
	Strength float64
	// Periods is how many the values cover, at least three.
	Periods float64
}

// Forecast is a predicted next value. It is made only where its method was better than to
// repeat the last value.
type Forecast struct {
	// Method is "mean", "smoothing", "line" or "season".
	Method string
	// At is when the next value is expected.
	At time.Time
	// Value is the predicted one. It has been between Low and High in the share Coverage
	// of the backtest.
	Value, Low, High, Coverage float64
	// Error is the mean absolute error of the method in the backtest, LastError that of
	// repeating the last value, over Tested predictions.
	Error, LastError float64
	Tested           int
}

// SeriesID returns the id of a series: a UUID of version 8 (RFC 9562) made of the SHA-256
// of device and field, each preceded by its length. It is the same on every node.
func SeriesID(device, field string) string { return hashUUID("sensor", device, field) }
