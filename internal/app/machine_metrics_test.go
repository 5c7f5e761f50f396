package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/board"
)

// The processor's state is a metric of nodes and workers alike, where the machine reports it, and missing elsewhere.
func TestMachineMetrics(t *testing.T) {
	const firmware, zone = "sys/devices/platform/soc/soc:firmware/get_throttled", "sys/class/thermal/thermal_zone0/temp"
	tests := map[string]struct {
		files map[string]string
		want  map[string]float64
	}{
		"throttled and hot": {map[string]string{firmware: "4\n", zone: "85000\n"}, map[string]float64{"edgelens_throttled": 1, "edgelens_temperature_celsius": 85}},
		"well":              {map[string]string{firmware: "0\n", zone: "45500\n"}, map[string]float64{"edgelens_throttled": 0, "edgelens_temperature_celsius": 45.5}},
		"once throttled":    {map[string]string{firmware: "40000\n"}, map[string]float64{"edgelens_throttled": 0}},
		"reports nothing":   {nil, map[string]float64{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, text := range test.files {
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			registry := prometheus.NewRegistry()
			registry.MustRegister(machineMetrics{&machine{prober: board.Prober{Root: root, Command: noCommand}}})
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]float64{}
			for _, family := range families {
				got[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
			}
			if len(got) != len(test.want) {
				t.Errorf("metrics %v, want %v", got, test.want)
			}
			for metric, value := range test.want {
				if got[metric] != value {
					t.Errorf("%s is %v, want %v", metric, got[metric], value)
				}
			}
		})
	}
}

// noCommand is that of a machine without vcgencmd.
func noCommand(context.Context, string, ...string) (string, error) {
	return "", errors.New("not found")
}
