//go:build cgo

package app

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
	"edgelens/terminal/simulate"
)

// BenchmarkHeartbeats simulates 200 terminals that send a heartbeat every 30 s and, together, as many photographs as
// the synchronous path recognizes with 8 connections, which is measured just before: the latency of the answer to a
// heartbeat. The terminals are in the same process.
func BenchmarkHeartbeats(b *testing.B) {
	const terminals, images, window = 200, 200, 25 * time.Second
	c := settings(b)
	withShared(b, c)
	withTerminals(b, c)
	s, _, _ := serving(b, c)
	image := readImage(b, "cat_720p.jpg")
	address, err := session.ParseAddress("mqtt://"+c.Mosquitto.Listen, "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		took := timed(func() { inParallel(8, images, func() { s.raw(path+"?cache=false", image) }) })
		rate := images / took.Seconds()
		config := simulate.DefaultConfig()
		config.Broker, config.Dialect, config.Simulator = address, fungxi.New(fungxi.DefaultConfig()), fungxi.NewSimulator(nil)
		config.Devices, config.Rate = simulate.Serials("B", terminals), rate/terminals
		config.Images, config.Distinct = [][]byte{image}, true
		fleet, err := simulate.New(config, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), window)
		err = fleet.Run(ctx)
		cancel()
		if err != nil {
			b.Fatal(err)
		}
		report := fleet.Report()
		if report.Heartbeats.Sent < terminals/2 || report.Heartbeats.Unanswered > 0 {
			b.Errorf("%d heartbeats, %d of them not answered", report.Heartbeats.Sent, report.Heartbeats.Unanswered)
		}
		b.ReportMetric(rate, "records/s")
		b.ReportMetric(milliseconds(report.Heartbeats.Latency.P50), "answer-p50-ms")
		b.ReportMetric(milliseconds(report.Heartbeats.Latency.P99), "answer-p99-ms")
	}
}
