package app

import (
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/telemetry"
)

// openLog returns the log of the service, and a function that closes it. Where it is standard error, what native libraries
// write there is in the log as lines of it.
func openLog(config telemetry.Config, logs io.Writer, metrics prometheus.Registerer) (log *slog.Logger, end func()) {
	if logs != os.Stderr {
		return telemetry.NewLogger(config, logs), func() {}
	}
	native, err := telemetry.CaptureNative()
	if err != nil {
		log := telemetry.NewLogger(config, logs)
		if !errors.Is(err, errors.ErrUnsupported) {
			log.Warn("native libraries write to standard error as they like", "event", "native_not_captured", "error", err)
		}
		return log, func() {}
	}
	log = telemetry.NewLogger(config, native.Original())
	native.LogTo(log, metrics)
	return log, func() {
		if err := native.Close(); err != nil {
			telemetry.NewLogger(config, logs).Warn("restoring standard error failed", "error", err)
		}
	}
}
