//go:build cgo

package app

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/telemetry"
)

var updatePages = flag.Bool("update", false, "write the generated pages of docs/")

// docs/metrics.md lists the metrics that a service registers.
func TestMetricsPageIsCurrent(t *testing.T) {
	const page = "../../docs/metrics.md"
	want := metricsPage(describedMetrics(t))
	if *updatePages {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(got, []byte(want)) {
		t.Errorf("%s is out of date (%v): go test ./internal/app -run MetricsPage -update", page, err)
	}
}

// describedMetrics returns the descriptions of all metrics that a service registers.
func describedMetrics(t *testing.T) []*prometheus.Desc {
	t.Helper()
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	c.Webhook.URL = "http://127.0.0.1:1"
	c.Similarity.Enabled = true
	c.HomeAssistant.Discovery = true
	c.Traces.Endpoint = "http://127.0.0.1:1"
	log, metrics := slog.New(slog.DiscardHandler), telemetry.NewRegistry("test")
	_, endTraces, err := openTraces(c, "test", "", log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endTraces(context.Background()) })
	native, err := telemetry.CaptureNative()
	if err != nil {
		t.Fatal(err)
	}
	native.LogTo(log, metrics)
	t.Cleanup(func() { _ = native.Close() })
	core, err := NewCore(c, log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := newJobs(context.Background(), c, core, log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(newSyncHistory(core.Recognizer, jobs.ledger.Results, log, metrics).Close)
	identities, err := openIdentities(context.Background(), c, jobs.ledger, log)
	if err != nil {
		t.Fatal(err)
	}
	states, err := newStates(context.Background(), c, core, jobs, log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	terminals, err := newTerminals(context.Background(), c, jobs, states, identities, log, metrics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(CloseWithin(StopTimeout, terminals.stop), CloseWithin(StopTimeout, jobs.close), CloseWithin(StopTimeout, core.Close)); err != nil {
			t.Error(err)
		}
	})
	if _, err := newSensors(c, core, jobs, terminals, log, metrics); err != nil {
		t.Fatal(err)
	}
	n := &node{config: c, identities: identities, core: core, jobs: jobs, terminals: terminals, readiness: telemetry.NewReadiness(), log: log}
	if n.homeAssistant, err = newHomeAssistant(c, n, metrics); err != nil {
		t.Fatal(err)
	}
	if _, err := newServer(c, n, metrics); err != nil {
		t.Fatal(err)
	}
	described := make(chan *prometheus.Desc)
	go func() { metrics.Describe(described); close(described) }()
	var all []*prometheus.Desc
	for desc := range described {
		all = append(all, desc)
	}
	return all
}

var descPattern = regexp.MustCompile(`fqName: "([^"]+)", help: "((?:[^"\\]|\\.)*)".*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)

// metricsPage returns a table of the metrics whose names begin with edgelens.
func metricsPage(described []*prometheus.Desc) string {
	rows := map[string]string{}
	for _, desc := range described {
		parts := descPattern.FindStringSubmatch(desc.String())
		if parts == nil || !strings.HasPrefix(parts[1], "edgelens_") {
			continue
		}
		labels := strings.Split(parts[4], ",")
		for _, label := range strings.Split(parts[3], ",") {
			name, _, _ := strings.Cut(label, "=")
			labels = append(labels, name)
		}
		labels = slices.DeleteFunc(labels, func(label string) bool { return label == "" })
		rows[parts[1]] = fmt.Sprintf("| `%s` | %s | %s |\n", parts[1], strings.Join(labels, ", "), strings.ReplaceAll(parts[2], `\"`, `"`))
	}
	var b strings.Builder
	b.WriteString("# Metrics\n\n`/metrics` serves them in Prometheus' format. Names end with their unit; those that end with `_total` are counters. Beside them there are\n" +
		"the usual `go_` and `process_` metrics. hits + misses + bypasses of `edgelens_cache_requests_total` are the requests, always. Devices are\n" +
		"named by `edgelens_device_clock_offset_seconds` alone (100 at most), clients and images by no label. This page is generated (`go test ./internal/app -run MetricsPage -update`).\n\n" +
		"| metric | labels | |\n|---|---|---|\n")
	names := slices.Sorted(maps.Keys(rows))
	for _, name := range names {
		b.WriteString(rows[name])
	}
	return b.String()
}
