package api

import (
	"context"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"edgelens"
)

// EraseSensors implements StrictServerInterface.
func (s *Server) EraseSensors(ctx context.Context, r EraseSensorsRequestObject) (EraseSensorsResponseObject, error) {
	if r.Params.Device == "" || utf8.RuneCountInString(r.Params.Device) > edgelens.MaxSensorName { // in bytes, no device has more
		return nil, fmt.Errorf("%w: device must have 1 to %d characters; /api/sensors lists them", edgelens.ErrInvalid, edgelens.MaxSensorName)
	}
	erased, err := s.eraseSeries(ctx, edgelens.SeriesErasure{Device: r.Params.Device}, "device", isTrue(r.Params.DryRun))
	if err != nil {
		return nil, err
	}
	return EraseSensors200JSONResponse(erased), nil
}

// EraseSensor implements StrictServerInterface.
func (s *Server) EraseSensor(ctx context.Context, r EraseSensorRequestObject) (EraseSensorResponseObject, error) {
	if err := s.mayFollowSeries(ctx, r.Id.String()); err != nil {
		return nil, err
	}
	erased, err := s.eraseSeries(ctx, edgelens.SeriesErasure{Series: r.Id.String()}, "id", isTrue(r.Params.DryRun))
	if err != nil {
		return nil, err
	}
	return EraseSensor200JSONResponse(erased), nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// eraseSeries erases or counts, with a line in the audit log: the name of the filter, whose value may be personal, and
// counts, also of an erasure that failed in the middle.
func (s *Server) eraseSeries(ctx context.Context, filter edgelens.SeriesErasure, name string, dryRun bool) (SensorErasure, error) {
	erase := s.sensors.EraseSeries
	if dryRun {
		erase = s.sensors.CountSeries
	}
	e, err := erase(ctx, filter)
	x := exchangeFrom(ctx)
	x.action = "erase"
	x.audited = []slog.Attr{
		slog.String("filters", name), slog.Bool("dry_run", dryRun), slog.Bool("complete", e.Complete), slog.Int64("series", e.Series),
		slog.Int64("points", e.Points), slog.Int64("per_minute", e.Minutes), slog.Int64("insights", e.Insights), slog.Int64("undelivered_events", e.Undelivered),
	}
	return SensorErasure{
		DryRun: dryRun, Complete: e.Complete, Series: e.Series, Points: e.Points, Minutes: e.Minutes, Insights: e.Insights, UndeliveredEvents: e.Undelivered,
	}, err
}
