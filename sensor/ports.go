package sensor

import (
	"context"

	"edgelens"
)

// Store keeps points.
type Store interface {
	// SavePoints stores points in the order of arrival, with the series that they belong to:
	// those that are new to this process or changed their unit or location, and hourly all that have points. An error is
	// temporary: the same call is repeated. edgelens.ErrInvalid is permanent.
	SavePoints(ctx context.Context, points []edgelens.Point, series []SeriesInfo) error
}

// SeriesInfo describes a series for a Store.
type SeriesInfo struct {
	ID, Device, Field, Unit, Location string
}

// Publisher publishes and stores insights.
type Publisher interface {
	// PublishInsight takes an insight; its error is logged and counted, and the insight is
	// not repeated.
	PublishInsight(ctx context.Context, insight edgelens.Insight) error
}

// Feeder reports edgelens' own streams as readings.
type Feeder interface {
	// Readings returns the present values. Device and Field name them (OwnRecordsPerHour and
	// so on), Value and Unit are used; the Monitor sets the times.
	Readings(ctx context.Context) []edgelens.Reading
}
