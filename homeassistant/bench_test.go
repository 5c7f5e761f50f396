package homeassistant_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/homeassistant"
)

// A look for changes at the maximum of devices: every three seconds.
func BenchmarkRefresh(b *testing.B) {
	var devices []edgelens.Device
	var series []edgelens.Series
	for i := range 300 {
		devices = append(devices, terminal(fmt.Sprint("T", i), ""))
	}
	for i := range 1000 {
		series = append(series, edgelens.Series{Device: fmt.Sprintf("S%03d", i/5), Field: fmt.Sprint("field", i%5), Unit: "°C", Points: 1})
	}
	config := homeassistant.DefaultConfig()
	config.Discovery = true
	topic := func(string) string { return "x" }
	looks := make(chan struct{})
	timing := homeassistant.DefaultTiming()
	timing.Refresh = time.Nanosecond
	a, err := homeassistant.New(config, homeassistant.Parts{
		Broker: &broker{retained: map[string]string{}}, Node: homeassistant.Node{Name: "n"}, Topics: homeassistant.Topics{Status: "s", Availability: topic, Events: topic, Insights: topic},
		Devices: func(context.Context) ([]edgelens.Device, error) { return devices, nil },
		Series:  func(context.Context) ([]edgelens.Series, error) { return series, nil },
		State: func(ctx context.Context) homeassistant.NodeState {
			select {
			case looks <- struct{}{}:
			case <-ctx.Done():
			}
			return homeassistant.NodeState{}
		},
		File: filepath.Join(b.TempDir(), "book"), Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Timing: timing,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	for b.Loop() {
		<-looks
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
