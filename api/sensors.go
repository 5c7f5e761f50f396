package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	openapitypes "github.com/oapi-codegen/runtime/types"

	"edgelens"
)

// Sensors provides series of numbers, and the insights about them.
type Sensors interface {
	// Series returns every series, by device and field, and how many readings of further ones
	// were dropped.
	Series(ctx context.Context) (series []edgelens.Series, dropped int64, err error)
	// DeviceOf returns the device of a series; its error is an edgelens.ErrNotFound for an unknown id.
	DeviceOf(ctx context.Context, id string) (string, error)
	// Points returns stored points. Errors: edgelens.ErrNotFound, edgelens.ErrInvalid.
	Points(ctx context.Context, q edgelens.PointQuery) (edgelens.PointHistory, error)
	// Recent returns the points of a series' window after a Seq, the oldest first.
	Recent(id string, after int64) []edgelens.Point
	// Follow follows the points of known series from now on, buffering some. Errors: *edgelens.Busy, edgelens.ErrStopping.
	Follow(ids []string, buffer int) (PointStream, error)
	// Run identifies this run of the service, in which Seq grows.
	Run() string
	// CountSeries returns what EraseSeries would erase.
	CountSeries(ctx context.Context, filter edgelens.SeriesErasure) (edgelens.ErasedSeries, error)
	// EraseSeries erases series with their points and insights; ErasedSeries.Complete is false where there may be more.
	// What was erased before an error is in it, too.
	EraseSeries(ctx context.Context, filter edgelens.SeriesErasure) (edgelens.ErasedSeries, error)
	// Insights lists the history. Its error is an edgelens.ErrInvalid for a bad filter.
	Insights(ctx context.Context, filter edgelens.InsightFilter) (page []edgelens.Insight, next string, err error)
}

// PointStream delivers points until it is closed, which the service may do, too.
type PointStream interface {
	C() <-chan edgelens.Point
	// Lost returns how many were lost because the reader was too slow.
	Lost() int64
	Close()
}

const (
	// defaultSpan is how far back points are returned without since.
	defaultSpan = time.Hour
	// freshFor is for how long at least a series is fresh after a value.
	freshFor = time.Minute
	// ownPrefix is that of the fields of edgelens' own streams.
	ownPrefix = "edgelens."
)

// ListSensors implements StrictServerInterface.
func (s *Server) ListSensors(ctx context.Context, _ ListSensorsRequestObject) (ListSensorsResponseObject, error) {
	series, dropped, err := s.sensors.Series(ctx)
	if err != nil {
		return nil, err
	}
	list := ListSensors200JSONResponse{Sensors: make([]Sensor, 0, len(series)), Dropped: dropped}
	now := time.Now()
	for i := range series {
		if keyFrom(ctx).MayUseDevice(series[i].Device) {
			list.Sensors = append(list.Sensors, newSensor(&series[i], now))
		}
	}
	return list, nil
}

func newSensor(s *edgelens.Series, now time.Time) Sensor {
	state, reason := stateOf(s, now)
	sensor := Sensor{
		Id: uuidOf(s.ID), Device: s.Device, Field: s.Field, Unit: optional(s.Unit), Location: optional(s.Location), Own: strings.HasPrefix(s.Field, ownPrefix),
		State: state, Reason: optional(reason), Points: s.Points, Anomalies: s.Anomalies, Window: newSensorWindow(s),
		Trend: SensorTrend{Simple: SensorTrendSimple(s.Trend.Simple), Significant: s.Trend.Recent.Direction == edgelens.DirectionIncreasing || s.Trend.Recent.Direction == edgelens.DirectionDecreasing},
	}
	if sensor.Trend.Simple == "" {
		sensor.Trend.Simple = SensorTrendSimple(edgelens.DirectionUnknown)
	}
	if d := s.Trend.Recent.Direction; d != "" && d != edgelens.DirectionUnknown {
		sensor.Trend.Slope = &s.Trend.Recent.PerHour
	}
	if !s.LastAt.IsZero() {
		sensor.Last = &struct {
			At    time.Time `json:"at"`
			Value float64   `json:"value"`
		}{s.LastAt.UTC(), s.Last}
	}
	if s.Interval > 0 {
		seconds := s.Interval.Seconds()
		sensor.IntervalS = &seconds
	}
	if s.Season != nil {
		sensor.Season = &struct {
			PeriodS  float64 `json:"period_s"`
			Strength float64 `json:"strength"`
		}{s.Season.Period.Seconds(), s.Season.Strength}
	}
	if p := s.Prediction; p != nil {
		sensor.Prediction = &struct {
			At          time.Time              `json:"at"`
			Error       float64                `json:"error"`
			ErrorOfSame float64                `json:"error_of_same"`
			High        float64                `json:"high"`
			Low         float64                `json:"low"`
			Method      SensorPredictionMethod `json:"method"`
			Value       float64                `json:"value"`
		}{p.At.UTC(), p.Error, p.LastError, p.High, p.Low, SensorPredictionMethod(p.Method), p.Value}
	}
	return sensor
}

// stateOf returns the state of a series, and why it is unknown. What is not known to be fresh is not.
func stateOf(s *edgelens.Series, now time.Time) (state SensorState, reason string) {
	age := now.Sub(s.ReceivedAt)
	switch {
	case s.Silent:
		return SensorStateSilent, ""
	case s.Points == 0 && s.Freshness == edgelens.FreshnessReplayed:
		return SensorStateUnknown, orElse(s.FreshnessReason, "It has sent old values only.")
	case s.Points == 0:
		return SensorStateUnknown, "It has sent nothing since the service started."
	case s.Stuck:
		return SensorStateStuck, ""
	case s.Freshness != edgelens.FreshnessFresh:
		return SensorStateUnknown, s.FreshnessReason
	case age > max(freshFor, 3*s.Interval):
		return SensorStateUnknown, fmt.Sprintf("Its latest value arrived %v ago.", age.Round(time.Second))
	}
	return SensorStateFresh, ""
}

func orElse(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}

func newSensorWindow(s *edgelens.Series) SensorWindow {
	w := s.Window
	window := SensorWindow{Count: w.Count}
	if w.Count == 0 {
		return window
	}
	window.Min, window.Max, window.Mean, window.Deviation, window.P50 = &w.Min, &w.Max, &w.Mean, &w.Deviation, &w.Median
	for _, quantile := range s.Quantiles {
		if quantile.Share == 0.95 {
			window.P95 = &quantile.Value
		}
	}
	return window
}

// ListSensorPoints implements StrictServerInterface.
func (s *Server) ListSensorPoints(ctx context.Context, r ListSensorPointsRequestObject) (ListSensorPointsResponseObject, error) {
	if err := s.mayFollowSeries(ctx, r.Id.String()); err != nil {
		return nil, err
	}
	now := time.Now()
	q := edgelens.PointQuery{Series: r.Id.String(), Until: now.Add(freshFor)}
	if r.Params.Until != nil {
		q.Until = *r.Params.Until
	}
	q.Since = q.Until.Add(-defaultSpan - freshFor)
	if r.Params.Since != nil {
		q.Since = *r.Params.Since
	}
	if r.Params.Step != nil {
		q.Step = time.Duration(*r.Params.Step) * time.Second
	}
	history, err := s.sensors.Points(ctx, q)
	if err != nil {
		return nil, err
	}
	list := ListSensorPoints200JSONResponse{Step: int64(history.Step / time.Second), Points: make([]SensorPoint, 0, len(history.Points))}
	for _, p := range history.Points {
		list.Points = append(list.Points, SensorPoint{At: p.At, Mean: p.Mean, Min: p.Min, Max: p.Max, Count: p.Count, Anomaly: p.Anomalies > 0})
	}
	if r.Params.Format != nil && *r.Params.Format == "csv" {
		text := pointsCSV(list.Points)
		return ListSensorPoints200TextcsvResponse{Body: bytes.NewReader(text), ContentLength: int64(len(text))}, nil
	}
	return list, nil
}

func pointsCSV(points []SensorPoint) []byte {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	_ = w.Write([]string{"at", "mean", "min", "max", "count", "anomaly"}) // to memory: cannot fail
	for _, p := range points {
		_ = w.Write([]string{p.At.Format(time.RFC3339Nano), number(p.Mean), number(p.Min), number(p.Max), strconv.FormatInt(p.Count, 10), strconv.FormatBool(p.Anomaly)})
	}
	w.Flush()
	return text.Bytes()
}

// mayFollowSeries returns an ErrNotFound for an unknown series, or the error of a device that the key may not use.
func (s *Server) mayFollowSeries(ctx context.Context, id string) error {
	device, err := s.sensors.DeviceOf(ctx, id)
	if err != nil {
		return err
	}
	return mayUseDevice(ctx, device)
}

// ListInsights implements StrictServerInterface.
func (s *Server) ListInsights(ctx context.Context, r ListInsightsRequestObject) (ListInsightsResponseObject, error) {
	limit, err := readLimit(r.Params.Limit)
	if err != nil {
		return nil, err
	}
	filter := edgelens.InsightFilter{Devices: keyFrom(ctx).Devices, Limit: limit, Cursor: text(r.Params.Cursor)}
	if r.Params.Since != nil {
		filter.Since = *r.Params.Since
	}
	page, next, err := s.sensors.Insights(ctx, filter)
	if err != nil {
		return nil, err
	}
	list := ListInsights200JSONResponse{Insights: make([]Insight, 0, len(page)), Next: optional(next)}
	for i := range page {
		list.Insights = append(list.Insights, newInsight(&page[i]))
	}
	return list, nil
}

func newInsight(i *edgelens.Insight) Insight {
	insight := Insight{
		Id: uuidOf(i.ID), At: i.At, Kind: InsightKind(i.Kind), State: InsightState(i.State), Rule: i.Rule, Sensor: uuidOf(i.Series), Device: i.Device, Field: i.Field,
		Severity: InsightSeverity(i.Severity), Confidence: i.Confidence, Summary: i.Summary, Actions: append([]string{}, i.Actions...),
		Value: i.Value, Unit: optional(i.Unit), Suppressed: i.Suppressed,
	}
	if i.Raised != "" {
		raised := uuidOf(i.Raised)
		insight.Raised = &raised
	}
	return insight
}

// uuidOf returns an id of ours, which is one.
func uuidOf(id string) (parsed openapitypes.UUID) {
	_ = parsed.UnmarshalText([]byte(id))
	return parsed
}

// noSensors are the Sensors of a server without any.
type noSensors struct{}

func (noSensors) Series(context.Context) ([]edgelens.Series, int64, error) { return nil, 0, nil }

func (noSensors) DeviceOf(context.Context, string) (string, error) { return "", errNoSensors }

func (noSensors) Points(context.Context, edgelens.PointQuery) (edgelens.PointHistory, error) {
	return edgelens.PointHistory{}, errNoSensors
}

func (noSensors) Recent(string, int64) []edgelens.Point { return nil }

func (noSensors) Follow([]string, int) (PointStream, error) { return nil, errNoSensors }

func (noSensors) Run() string { return "" }

func (noSensors) Insights(context.Context, edgelens.InsightFilter) ([]edgelens.Insight, string, error) {
	return nil, "", nil
}

func (noSensors) CountSeries(context.Context, edgelens.SeriesErasure) (edgelens.ErasedSeries, error) {
	return edgelens.ErasedSeries{Complete: true}, nil
}

func (noSensors) EraseSeries(context.Context, edgelens.SeriesErasure) (edgelens.ErasedSeries, error) {
	return edgelens.ErasedSeries{Complete: true}, nil
}

var errNoSensors = fmt.Errorf("%w: this service is not set up for sensors", edgelens.ErrNotFound)
