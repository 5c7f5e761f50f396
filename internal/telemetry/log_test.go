package telemetry_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"edgelens/internal/telemetry"
)

// Every duration in a log is a number of milliseconds.
func TestLogsHaveDurationsInMilliseconds(t *testing.T) {
	for format, want := range map[string][]string{
		"text": {"ms=1500.25", "timeout_ms=9000", "group.wait_ms=0.001", "zero_ms=0"},
		"json": {`"ms":1500.25`, `"timeout_ms":9000`, `"wait_ms":0.001`, `"zero_ms":0`},
	} {
		t.Run(format, func(t *testing.T) {
			var log bytes.Buffer
			telemetry.NewLogger(telemetry.Config{LogLevel: "info", LogFormat: format}, &log).
				Info("m", "ms", 1500*time.Millisecond+250*time.Microsecond, "timeout", 9*time.Second, "zero", time.Duration(0), slog.Group("group", "wait", time.Microsecond))
			for _, text := range want {
				if !strings.Contains(log.String(), text) {
					t.Errorf("%s lacks %s", &log, text)
				}
			}
		})
	}
}
