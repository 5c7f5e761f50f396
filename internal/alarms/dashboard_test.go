package alarms_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"edgelens/internal/alarms"
)

const dashboardFile = "../../deploy/grafana/dashboards/edgelens.json"

// panel is a chart of the dashboard: one line for each query, which has a title for its lines.
type panel struct {
	title, unit string
	stat        bool
	queries     [][2]string
}

const of = `{job="$job",instance=~"$instance"}`

// rows are the panels of the dashboard, by heading.
var rows = []struct {
	title  string
	panels []panel
}{
	{"Now", []panel{
		{"Recognitions per second", "reqps", true, [][2]string{{`sum(rate(edgelens_requests_total{job="$job",instance=~"$instance"}[5m]))`, ""}}},
		{"99th percentile", "s", true, [][2]string{{`histogram_quantile(0.99, sum by (le) (rate(edgelens_request_seconds_bucket{job="$job",instance=~"$instance"}[5m])))`, ""}}},
		{"Devices offline", "none", true, [][2]string{{`sum(edgelens_devices{job="$job",instance=~"$instance",state="offline"})`, ""}}},
		{"Alarms", "none", true, [][2]string{{`count(ALERTS{alertname=~"Edgelens.*",alertstate="firing",instance=~"$instance"}) or vector(0)`, ""}}},
	}},
	{"Traffic", []panel{
		{"Recognitions by source", "reqps", false, [][2]string{{`sum by (source) (rate(edgelens_requests_total{job="$job",instance=~"$instance"}[5m]))`, "{{source}}"}}},
		{"Outcomes", "reqps", false, [][2]string{{`sum by (outcome) (rate(edgelens_requests_total{job="$job",instance=~"$instance"}[5m]))`, "{{outcome}}"}}},
		{"HTTP responses by status", "reqps", false, [][2]string{{`sum by (status) (rate(edgelens_http_responses_total{job="$job",instance=~"$instance"}[5m]))`, "{{status}}"}}},
		{"Refused because of the load", "reqps", false, [][2]string{{`sum by (reason) (rate(edgelens_http_refusals_total{job="$job",instance=~"$instance"}[5m]))`, "{{reason}}"}}},
		{"Cache", "reqps", false, [][2]string{{`sum by (result) (rate(edgelens_cache_requests_total{job="$job",instance=~"$instance"}[5m]))`, "{{result}}"}}},
		{"Quality verdicts", "reqps", false, [][2]string{{`sum by (verdict) (rate(edgelens_quality_total{job="$job",instance=~"$instance"}[5m]))`, "{{verdict}}"}}},
	}},
	{"Latency", []panel{
		{"Requests", "s", false, [][2]string{
			{`histogram_quantile(0.5, sum by (le) (rate(edgelens_request_seconds_bucket{job="$job",instance=~"$instance"}[5m])))`, "median"},
			{`histogram_quantile(0.95, sum by (le) (rate(edgelens_request_seconds_bucket{job="$job",instance=~"$instance"}[5m])))`, "95%"},
			{`histogram_quantile(0.99, sum by (le) (rate(edgelens_request_seconds_bucket{job="$job",instance=~"$instance"}[5m])))`, "99%"},
		}},
		{"Mean of each stage", "s", false, [][2]string{{`sum by (stage) (rate(edgelens_stage_seconds_sum{job="$job",instance=~"$instance"}[5m])) / sum by (stage) (rate(edgelens_stage_seconds_count{job="$job",instance=~"$instance"}[5m]))`, "{{stage}}"}}},
		{"Waiting, by priority", "none", false, [][2]string{{`sum by (priority) (edgelens_recognitions_waiting` + of + `)`, "{{priority}}"}}},
		{"Interpreters", "none", false, [][2]string{{`sum by (model, state) (edgelens_interpreters` + of + `)`, "{{model}} {{state}}"}}},
	}},
	{"Devices and events", []panel{
		{"Devices by state", "none", false, [][2]string{{`sum by (state) (edgelens_devices` + of + `)`, "{{state}}"}}},
		{"Records by freshness", "cpm", false, [][2]string{{`60 * sum by (freshness) (rate(edgelens_records_total{job="$job",instance=~"$instance"}[5m]))`, "{{freshness}}"}}},
		{"Events by sink and outcome", "cpm", false, [][2]string{{`60 * sum by (sink, outcome) (rate(edgelens_events_total{job="$job",instance=~"$instance"}[5m]))`, "{{sink}} {{outcome}}"}}},
		{"Undelivered events", "none", false, [][2]string{{`sum by (sink) (edgelens_outbox_rows` + of + `)`, "{{sink}}"}}},
		{"Oldest undelivered event", "s", false, [][2]string{{`max by (sink) (edgelens_outbox_oldest_seconds` + of + `)`, "{{sink}}"}}},
		{"Clocks of devices", "none", false, [][2]string{{`sum by (state) (edgelens_device_clocks` + of + `)`, "{{state}}"}}},
	}},
	{"Jobs", []panel{
		{"Queue", "none", false, [][2]string{{`sum by (queue, state) (edgelens_queue_depth` + of + `)`, "{{queue}} {{state}}"}}},
		{"Oldest queued job", "s", false, [][2]string{{`max by (queue) (edgelens_queue_oldest_seconds` + of + `)`, "{{queue}}"}}},
		{"Jobs that ended", "cpm", false, [][2]string{{`60 * sum by (status) (rate(edgelens_jobs_total{job="$job",instance=~"$instance"}[5m]))`, "{{status}}"}}},
	}},
	{"Resources", []panel{
		{"Processor, cores", "none", false, [][2]string{{`rate(process_cpu_seconds_total{job="$job",instance=~"$instance"}[5m])`, "{{instance}}"}}},
		{"Memory", "bytes", false, [][2]string{
			{`process_resident_memory_bytes` + of, "service {{instance}}"},
			{`edgelens_memory_used_bytes` + of, "in use {{instance}}"},
			{`edgelens_memory_limit_bytes` + of, "limit {{instance}}"},
		}},
		{"Disk, free", "bytes", false, [][2]string{{`edgelens_disk_free_bytes` + of, "{{instance}}"}}},
		{"Temperature", "celsius", false, [][2]string{{`edgelens_temperature_celsius` + of, "{{instance}}"}}},
		{"Connections", "none", false, [][2]string{{`sum by (state) (edgelens_http_connections` + of + `)`, "{{state}}"}}},
		{"Decode helpers ended by an image", "cpm", false, [][2]string{{`60 * sum by (reason) (rate(edgelens_decode_kills_total{job="$job",instance=~"$instance"}[5m]))`, "{{reason}}"}}},
	}},
}

type object = map[string]any

// The dashboard is made from the rows, and its queries have metrics that there are.
func TestDashboardIsCurrent(t *testing.T) {
	want := dashboard(t)
	if *update {
		if err := os.WriteFile(dashboardFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(dashboardFile); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of date (%v): go test ./internal/alarms -update", dashboardFile, err)
	}
	for _, row := range rows {
		for _, panel := range row.panels {
			for _, query := range panel.queries {
				needsMetrics(t, panel.title, query[0])
			}
		}
	}
}

// The alarms are of metrics that there are.
func TestAlarmsHaveMetrics(t *testing.T) {
	for _, a := range alarms.All() {
		needsMetrics(t, a.Name, a.Condition())
	}
}

// needsMetrics fails the test where a query has a metric that docs/metrics.md, which is generated, has not.
func needsMetrics(t *testing.T, title, query string) {
	t.Helper()
	documented, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	for _, metric := range regexp.MustCompile(`edgelens_\w+`).FindAllString(query, -1) {
		if !bytes.Contains(documented, []byte("`"+suffix.ReplaceAllString(metric, "")+"`")) {
			t.Errorf("%s: there is no metric %s", title, metric)
		}
	}
}

// dashboard returns the dashboard as Grafana imports it
// (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/).
func dashboard(t *testing.T) []byte {
	t.Helper()
	const columns, height = 24, 7
	source := object{"type": "prometheus", "uid": "${source}"}
	var panels []object
	y := 0
	add := func(of object, x, w, h int) {
		of["id"], of["gridPos"] = len(panels)+1, object{"x": x, "y": y, "w": w, "h": h}
		panels = append(panels, of)
	}
	for _, row := range rows {
		add(object{"type": "row", "title": row.title, "panels": []object{}, "collapsed": false}, 0, columns, 1)
		y++
		x, w, h := 0, 8, height
		if row.panels[0].stat {
			w, h = columns/len(row.panels), 4
		}
		for _, panel := range row.panels {
			if x+w > columns {
				x, y = 0, y+h
			}
			add(chart(panel, source), x, w, h)
			x += w
		}
		y += h
	}
	variable := func(name, label, query string, multi bool) object {
		return object{"type": "query", "name": name, "label": label, "datasource": source, "query": query, "refresh": 2, "includeAll": multi, "multi": multi, "sort": 1}
	}
	text, err := json.MarshalIndent(object{
		"title": "edgelens", "uid": "edgelens", "tags": []string{"edgelens"}, "schemaVersion": 39, "editable": true, "refresh": "30s", "time": object{"from": "now-6h", "to": "now"},
		"templating": object{"list": []object{
			{"type": "datasource", "name": "source", "label": "Source", "query": "prometheus"},
			variable("job", "Job", "label_values(edgelens_build_info, job)", false),
			variable("instance", "Node", `label_values(edgelens_build_info{job="$job"}, instance)`, true),
		}},
		"annotations": object{"list": []object{{"name": "Alarms", "enable": true, "iconColor": "red", "datasource": source, "expr": `ALERTS{alertname=~"Edgelens.*",alertstate="firing",instance=~"$instance"}`, "titleFormat": "{{alertname}}"}}},
		"panels":      panels,
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

func chart(p panel, source object) object {
	kind := "timeseries"
	if p.stat {
		kind = "stat"
	}
	targets := make([]object, 0, len(p.queries))
	for i, query := range p.queries {
		targets = append(targets, object{"refId": string(rune('A' + i)), "datasource": source, "expr": query[0], "legendFormat": query[1]})
	}
	return object{"type": kind, "title": p.title, "datasource": source, "fieldConfig": object{"defaults": object{"unit": p.unit, "min": 0}, "overrides": []object{}}, "targets": targets}
}
