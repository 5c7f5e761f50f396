package app

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
)

// openTraces returns what records the traces of this process, and a function that sends what is left of them. Without an
// endpoint, nothing is recorded, and the traces of others are passed on. node is empty for a process without a ledger.
func openTraces(c *config.Config, version, node string, log *slog.Logger, metrics prometheus.Registerer) (tracer edgelens.Tracer, end func(context.Context), err error) {
	if c.Traces.Endpoint == "" {
		return edgelens.Untraced{}, func(context.Context) {}, nil
	}
	traces, err := telemetry.NewTraces(c.Traces, telemetry.Service{Version: version, Node: node}, log, metrics)
	if err != nil {
		return nil, nil, err
	}
	return traces, traces.Close, nil
}
