package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/alarms"
	"edgelens/sensor"
)

// feedSpan is what the records of a device are counted over.
const feedSpan = time.Hour

// nodeFeeder reports the latency and the temperature of the node. It implements sensor.Feeder.
type nodeFeeder struct {
	latency func(since time.Time) (p95 time.Duration, ok bool)
	celsius func() *float64
}

// Readings implements sensor.Feeder.
func (f nodeFeeder) Readings(context.Context) (readings []edgelens.Reading) {
	add := func(field, unit string, value float64) {
		readings = append(readings, edgelens.Reading{Device: sensor.OwnDevice, Field: field, Unit: unit, Value: value})
	}
	if p95, ok := f.latency(time.Now().Add(-time.Minute)); ok {
		add(sensor.OwnLatency, "ms", float64(p95.Microseconds())/1000)
	}
	if celsius := f.celsius(); celsius != nil {
		add(sensor.OwnTemperature, "°C", *celsius)
	}
	return readings
}

// alarmFeeder reports the values of the alarms, from the metrics that Prometheus would read. It implements sensor.Feeder, for
// one goroutine.
type alarmFeeder struct {
	gather  prometheus.Gatherer
	log     *slog.Logger
	history alarms.History
}

// Readings implements sensor.Feeder.
func (f *alarmFeeder) Readings(context.Context) (readings []edgelens.Reading) {
	families, err := f.gather.Gather()
	if err != nil { // it returns those that it could gather
		f.log.Warn("gathering the metrics for the alarms failed", "error", err)
	}
	f.history.Add(time.Now(), families)
	for _, a := range alarms.All() {
		if a.Insight != "" {
			continue
		}
		if value, ok := a.Value.Eval(&f.history); ok {
			readings = append(readings, edgelens.Reading{Device: sensor.OwnDevice, Field: sensor.AlarmField(&a), Unit: a.Unit, Value: value})
		}
	}
	return readings
}

// deviceResults counts the results of devices; package ledger implements it.
type deviceResults interface {
	ByDevice(ctx context.Context, since time.Time) (map[string]edgelens.DeviceResults, error)
}

// deviceFeeder reports what terminals and cameras send. It implements sensor.Feeder.
type deviceFeeder struct {
	// devices is nil without a broker: then there are none.
	devices func(context.Context) ([]edgelens.Device, error)
	results deviceResults
	log     *slog.Logger
}

// Readings implements sensor.Feeder: those of accepted devices.
func (f deviceFeeder) Readings(ctx context.Context) (readings []edgelens.Reading) {
	if f.devices == nil {
		return nil
	}
	devices, err := f.devices(ctx)
	if err != nil || len(devices) == 0 {
		return nil // the bridge has them in memory
	}
	now := time.Now()
	results, err := f.results.ByDevice(ctx, now.Add(-feedSpan))
	if err != nil {
		f.log.Warn("counting the results of devices failed", "error", err)
	}
	for _, device := range devices {
		if device.State == edgelens.DeviceAccepted {
			readings = append(readings, deviceReadings(device, results[device.ID], err == nil, now)...)
		}
	}
	return readings
}

// deviceReadings leaves out what is not known: the share of no results is not 0.
func deviceReadings(device edgelens.Device, r edgelens.DeviceResults, counted bool, now time.Time) (readings []edgelens.Reading) {
	add := func(field, unit string, value float64) {
		readings = append(readings, edgelens.Reading{Device: device.ID, Field: field, Unit: unit, Value: value})
	}
	if silent := now.Sub(device.LastSeen); !device.LastSeen.IsZero() && silent >= 0 {
		add(sensor.OwnMinutesSilent, "min", silent.Minutes())
	}
	if !counted {
		return readings
	}
	add(sensor.OwnRecordsPerHour, "", float64(r.Count))
	if n := r.Recognized + r.Uncertain; n > 0 {
		add(sensor.OwnUncertainShare, "", float64(r.Uncertain)/float64(n))
	}
	if r.Scored > 0 {
		add(sensor.OwnMeanConfidence, "", r.MeanProbability)
	}
	if r.Rated > 0 {
		add(sensor.OwnUnusableShare, "", float64(r.Unusable)/float64(r.Rated))
	}
	return readings
}
