package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"edgelens/internal/telemetry"
)

// serveStatus serves the endpoints for orchestration and metrics, until ctx ends. setting names where the address comes
// from, in errors.
func serveStatus(ctx context.Context, group *errgroup.Group, listen, setting string, readiness *telemetry.Readiness, metrics prometheus.Gatherer) (net.Addr, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("serve health and metrics on %s: %w; choose another %s", listen, err, setting)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		waiting := readiness.Waiting()
		if len(waiting) > 0 {
			http.Error(w, strings.Join(waiting, "\n"), http.StatusServiceUnavailable)
			return
		}
		for _, c := range readiness.Conditions() {
			_, _ = fmt.Fprintf(w, "%s: %s: %s\n", c.Severity, c.Name, c.Reason) // an error means the client disconnected
		}
		_, _ = io.WriteString(w, "ok\n") // the same
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve health and metrics: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return CloseWithin(responseTimeout, server.Shutdown)
	})
	return listener.Addr(), nil
}
