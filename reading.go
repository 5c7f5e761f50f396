package edgelens

import "time"

// Reading is one value of one field of a sensor.
type Reading struct {
	// Device and Field identify the series: at most MaxSensorName bytes of UTF-8 each,
	// without control characters. They are text of the device, markup included.
	Device, Field string
	// Unit and Location are as the device sent them; empty where it sent none.
	Unit, Location string
	// Value is finite, and between -MaxSensorValue and MaxSensorValue.
	Value float64
	// At is the time of the value, in UTC: that of the payload where Stamped, else that
	// of the arrival; zero for a replayed value whose own time is unknown.
	At time.Time
	// Stamped reports that At comes from the payload.
	Stamped bool
	// ReceivedAt is the time of arrival.
	ReceivedAt time.Time
	// Freshness is what the time proves, and FreshnessReason a sentence on why the
	// reading is not fresh. A value without a time of its own is fresh where the broker
	// did not keep it; one whose time cannot be read is unknown, never fresh.
	Freshness       Freshness
	FreshnessReason string
}

const (
	// MaxSensorName is the maximum length in bytes of a sensor's device, field or
	// location.
	MaxSensorName = 128
	// MaxSensorUnit is the maximum length in bytes of a unit.
	MaxSensorUnit = 32
	// MaxSensorValue is the largest value. Whole numbers up to it are exact, and the
	// statistics of a series that holds it once stay precise for its other values.
	MaxSensorValue = 1e15
)

// Point is a value in the order of its series, as it is stored and charted.
type Point struct {
	// Series is the id of SeriesID.
	Series string
	// Seq grows by one from point to point of the series in this process.
	Seq int64
	// At is the Reading's; never zero.
	At    time.Time
	Value float64
	// Freshness is the Reading's.
	Freshness Freshness
	// Anomaly is set for a value that one of the rules marks.
	Anomaly *Anomaly
}

// Anomaly is a value far from those before it.
type Anomaly struct {
	// Sigma is the distance from the mean of the window before the point in standard
	// deviations of that window; 0 where the window had no deviation.
	Sigma float64
	// Robust is the modified z-score: the distance from the median in units of the
	// median absolute deviation, scaled to standard deviations; 0 where there is none.
	Robust float64
	// BySigma and ByRobust report which of the two rules marks the point.
	BySigma, ByRobust bool
}

// Score is the smaller distance of the rules that mark the point, in standard deviations:
// negative below the center.
func (a *Anomaly) Score() float64 {
	switch {
	case a == nil:
		return 0
	case a.BySigma && (!a.ByRobust || abs(a.Sigma) < abs(a.Robust)):
		return a.Sigma
	case a.ByRobust:
		return a.Robust
	}
	return 0
}

func abs(x float64) float64 { return max(x, -x) }
