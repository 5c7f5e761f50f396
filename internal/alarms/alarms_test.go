package alarms_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"gopkg.in/yaml.v3"

	"edgelens/internal/alarms"
)

var update = flag.Bool("update", false, "write the generated files")

const (
	rulesFile   = "../../deploy/prometheus/edgelens.rules.yaml"
	testsFile   = "../../deploy/prometheus/edgelens.rules_test.yaml"
	runbookFile = "../../docs/runbook.md"
)

// The rules, their tests and the runbook are made from the alarms.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	rules, err := alarms.PrometheusRules()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]byte{rulesFile: rules, testsFile: prometheusTests(t), runbookFile: alarms.Runbook()} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is out of date (%v): go test ./internal/alarms -update", file, err)
		}
	}
}

// scenario is what the metrics of an alarm are like where it fires, and where it is silent. A series is written as in Prometheus'
// tests: its first value and what each minute adds.
type scenario struct {
	fires, silent map[string]string
}

// histogram returns the series of a histogram that gets a number of observations a minute below each bound.
func histogram(name, labels string, perMinute map[string]int) map[string]string {
	all := map[string]string{}
	for bound, n := range perMinute {
		all[fmt.Sprintf(`%s_bucket{%s,le="%s"}`, name, labels, bound)] = fmt.Sprintf("0+%d", n)
	}
	return all
}

// one is a single series.
func one(series, values string) map[string]string { return map[string]string{series: values} }

func both(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

const (
	request = `source="http",model="m"`
	expires = `edgelens_certificate_expiry_timestamp_seconds{for="http"}`
)

var scenarios = map[string]scenario{
	"slow-requests": {
		histogram("edgelens_request_seconds", request, map[string]int{"1": 90, "2.5": 98, "5": 100, "+Inf": 100}),
		histogram("edgelens_request_seconds", request, map[string]int{"1": 100, "2.5": 100, "5": 100, "+Inf": 100}),
	},
	"errors": {
		both(one(`edgelens_requests_total{source="http",model="m",outcome="ok"}`, "0+90"), one(`edgelens_requests_total{source="http",model="m",outcome="internal"}`, "0+10")),
		both(one(`edgelens_requests_total{source="http",model="m",outcome="ok"}`, "0+50"), one(`edgelens_requests_total{source="http",model="m",outcome="bad_image"}`, "0+50")),
	},
	"slow-model-load":   {one(`edgelens_model_load_seconds{model="m"}`, "4+0"), one(`edgelens_model_load_seconds{model="m"}`, "0.2+0")},
	"memory":            {both(one("edgelens_memory_used_bytes", "900+0"), one("edgelens_memory_limit_bytes", "1000+0")), both(one("edgelens_memory_used_bytes", "700+0"), one("edgelens_memory_limit_bytes", "1000+0"))},
	"devices-offline":   {one(`edgelens_devices{state="offline"}`, "1+0"), both(one(`edgelens_devices{state="offline"}`, "0+0"), one(`edgelens_devices{state="quarantined"}`, "3+0"))},
	"outbox":            {one(`edgelens_outbox_oldest_seconds{sink="webhook"}`, "0+60"), both(one(`edgelens_outbox_oldest_seconds{sink="webhook"}`, "30+0"), one(`edgelens_outbox_oldest_seconds{sink="mqtt"}`, "0+0"))},
	"queue":             {one(`edgelens_queue_oldest_seconds{queue="interactive"}`, "0+60"), both(one(`edgelens_queue_oldest_seconds{queue="interactive"}`, "5+0"), one(`edgelens_queue_oldest_seconds{queue="bulk"}`, "0+60"))},
	"interpreter-stuck": {one(`edgelens_interpreters{model="m",state="stuck"}`, "1+0"), both(one(`edgelens_interpreters{model="m",state="stuck"}`, "0+0"), one(`edgelens_interpreters{model="m",state="busy"}`, "2+0"))},
	"stand-in-model":    {one("edgelens_model_stand_in", "1+0"), one("edgelens_model_stand_in", "0+0")},
	"kernels":           {one(`edgelens_model_rejected_kernels{model="m"}`, "1+0"), one(`edgelens_model_rejected_kernels{model="m"}`, "0+0")},
	"refusals": {
		both(one(`edgelens_http_responses_total{route="/api/recognize",status="200"}`, "0+50"), one(`edgelens_http_responses_total{route="/api/recognize",status="503"}`, "0+50")),
		both(one(`edgelens_http_responses_total{route="/api/recognize",status="200"}`, "0+50"), one(`edgelens_http_responses_total{route="/readyz",status="503"}`, "0+50")),
	},
	"throttled":           {one("edgelens_throttled", "1+0"), one("edgelens_throttled", "0+0")},
	"too-hot":             {one("edgelens_temperature_celsius", "85+0"), one("edgelens_temperature_celsius", "60+0")},
	"disk":                {both(one("edgelens_disk_free_bytes", "30+0"), one("edgelens_disk_bytes", "1000+0")), both(one("edgelens_disk_free_bytes", "300+0"), one("edgelens_disk_bytes", "1000+0"))},
	"storage":             {one(`edgelens_storage_problem{part="ledger"}`, "1+0"), one(`edgelens_storage_problem{part="ledger"}`, "0+0")},
	"device-clocks":       {one(`edgelens_device_clocks{state="wrong"}`, "2+0"), both(one(`edgelens_device_clocks{state="wrong"}`, "0+0"), one(`edgelens_device_clocks{state="unknown"}`, "2+0"))},
	"certificate":         {one(expires, "864000+0"), one(expires, "8640000+0")}, // the tests begin in 1970
	"device-certificates": {one(`edgelens_device_certificates{state="expiring"}`, "1+0"), both(one(`edgelens_device_certificates{state="expiring"}`, "0+0"), one(`edgelens_device_certificates{state="expired"}`, "1+0"))},
	"sensors-silent":      {one("edgelens_sensors_silent", "1+0"), one("edgelens_sensors_silent", "0+0")},
	"broker":              {one("edgelens_mqtt_connected", "0+0"), one("edgelens_mqtt_connected", "1+0")},
	"events-set-aside":    {one(`edgelens_outbox_set_aside{sink="webhook"}`, "3+0"), one(`edgelens_outbox_set_aside{sink="webhook"}`, "0+0")},
}

// after is when the alarms must fire, and minutes how long the series are.
const after, minutes = 30 * time.Minute, 40

// Each alarm fires on its metrics, by what the service computes itself, and is silent otherwise; promtool tests the same series
// with the rules for Prometheus (`make alarms-check`).
func TestAlarmsFire(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range alarms.All() {
		seen[a.Name] = true
		s, ok := scenarios[a.Name]
		if !ok {
			t.Errorf("%s has no scenario", a.Name)
			continue
		}
		if value, ok := a.Value.Eval(historyOf(t, s.fires)); !ok || !beyond(&a, value) {
			t.Errorf("%s does not fire: %v %v", a.Name, value, ok)
		}
		if value, ok := a.Value.Eval(historyOf(t, s.silent)); ok && beyond(&a, value) {
			t.Errorf("%s fires where all is well: %v", a.Name, value)
		}
		if value, ok := a.Value.Eval(&alarms.History{}); ok {
			t.Errorf("%s has the value %v without metrics", a.Name, value)
		}
	}
	for name := range scenarios {
		if !seen[name] {
			t.Errorf("there is no alarm %s", name)
		}
	}
}

func beyond(a *alarms.Alarm, value float64) bool {
	return a.Above != nil && value > *a.Above || a.Below != nil && value < *a.Below
}

// An alarm has one limit, and what a person needs.
func TestAlarmsAreComplete(t *testing.T) {
	for _, a := range alarms.All() {
		if (a.Above == nil) == (a.Below == nil) || a.Title == "" || a.Why == "" || a.Summary == "" || len(a.Actions) == 0 || a.Severity == "" {
			t.Errorf("%+v", a)
		}
	}
}

// The quantile is that of Prometheus: interpolated within its bucket, and the start of the last one.
func TestQuantile(t *testing.T) {
	for name, test := range map[string]struct {
		perMinute map[string]int
		share     float64
		want      float64
		known     bool
	}{
		"in the middle":     {map[string]int{"1": 0, "3": 100, "+Inf": 100}, 0.5, 2, true},
		"in the first":      {map[string]int{"1": 100, "3": 100, "+Inf": 100}, 0.5, 0.5, true},
		"beyond the bounds": {map[string]int{"1": 0, "3": 0, "+Inf": 100}, 0.5, 3, true},
		"at a bound":        {map[string]int{"1": 50, "3": 100, "+Inf": 100}, 0.5, 1, true},
		"of nothing":        {map[string]int{"1": 0, "3": 0, "+Inf": 0}, 0.5, 0, false},
	} {
		h := historyOf(t, histogram("edgelens_x", request, test.perMinute))
		got, known := alarms.Quantile(test.share, "edgelens_x", 5*time.Minute).Eval(h)
		if known != test.known || math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %v %v, want %v %v", name, got, known, test.want, test.known)
		}
	}
}

// A rate is of the span alone, and of series that were there before.
func TestRate(t *testing.T) {
	var h alarms.History
	begin := time.Unix(0, 0)
	for i, value := range []float64{0, 1000, 1060, 1120} {
		h.Add(begin.Add(time.Duration(i)*5*time.Minute), families(map[string]float64{"edgelens_x": value}))
	}
	if got, ok := alarms.Rate("edgelens_x", 5*time.Minute).Eval(&h); !ok || got != 0.2 {
		t.Errorf("%v %v, want 60 in 5 minutes", got, ok)
	}
	h.Add(begin.Add(time.Hour), families(map[string]float64{"edgelens_y": 5}))
	if got, ok := alarms.Rate("edgelens_y", 5*time.Minute).Eval(&h); ok {
		t.Errorf("of a single value: %v", got)
	}
}

// historyOf returns the history of series, a snapshot a minute.
func historyOf(t *testing.T, all map[string]string) *alarms.History {
	t.Helper()
	h := &alarms.History{}
	for minute := range int(after/time.Minute) + 1 {
		values := map[string]float64{}
		for series, notation := range all {
			first, step, ok := strings.Cut(notation, "+")
			a, err := strconv.ParseFloat(first, 64)
			b, err2 := strconv.ParseFloat(step, 64)
			if !ok || err != nil || err2 != nil {
				t.Fatalf("%s: %s", series, notation)
			}
			values[series] = a + float64(minute)*b
		}
		h.Add(time.Unix(int64(minute)*60, 0), families(values))
	}
	return h
}

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// families makes what a registry gathers of series with values. Those that end with _bucket make histograms.
func families(values map[string]float64) (all []*dto.MetricFamily) {
	histograms := map[string]*dto.Metric{}
	for series, value := range values {
		name, rest, _ := strings.Cut(series, "{")
		metric, bound := &dto.Metric{}, ""
		for _, pair := range label.FindAllStringSubmatch(rest, -1) {
			if pair[1] == "le" {
				bound = pair[2]
				continue
			}
			metric.Label = append(metric.Label, &dto.LabelPair{Name: &pair[1], Value: &pair[2]})
		}
		of, isBucket := strings.CutSuffix(name, "_bucket")
		if !isBucket {
			metric.Gauge = &dto.Gauge{Value: &value}
			all = append(all, &dto.MetricFamily{Name: &name, Metric: []*dto.Metric{metric}})
			continue
		}
		if histograms[of] == nil {
			metric.Histogram = &dto.Histogram{}
			histograms[of] = metric
			all = append(all, &dto.MetricFamily{Name: &of, Metric: []*dto.Metric{metric}})
		}
		addBucket(histograms[of].Histogram, bound, uint64(value))
	}
	return all
}

// addBucket adds a bucket in order; the last one is the number of all.
func addBucket(h *dto.Histogram, bound string, n uint64) {
	if bound == "+Inf" {
		h.SampleCount = &n
		return
	}
	limit, _ := strconv.ParseFloat(bound, 64) // the tests' own numbers
	at := 0
	for at < len(h.Bucket) && h.Bucket[at].GetUpperBound() < limit {
		at++
	}
	h.Bucket = append(h.Bucket, nil)
	copy(h.Bucket[at+1:], h.Bucket[at:])
	h.Bucket[at] = &dto.Bucket{UpperBound: &limit, CumulativeCount: &n}
}

type promTest struct {
	Interval    string       `yaml:"interval"`
	Name        string       `yaml:"name"`
	InputSeries []promSeries `yaml:"input_series"`
	AlertTests  []alertTest  `yaml:"alert_rule_test"`
}

type promSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type alertTest struct {
	EvalTime  string      `yaml:"eval_time"`
	Alertname string      `yaml:"alertname"`
	Expected  []promAlert `yaml:"exp_alerts"`
}

type promAlert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// prometheusTests returns the tests for promtool (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/).
func prometheusTests(t *testing.T) []byte {
	t.Helper()
	var tests []promTest
	for _, a := range append(alarms.All(), alarms.Down()) {
		s := scenarios[a.Name]
		if a.Value == nil {
			s = scenario{one("up", "0+0"), one("up", "1+0")}
		}
		tests = append(tests, promTestOf(t, &a, "fires", s.fires, true), promTestOf(t, &a, "is silent", s.silent, false))
	}
	var text bytes.Buffer
	text.WriteString("# Generated from internal/alarms (`go test ./internal/alarms -update`).\n")
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(map[string]any{"rule_files": []string{"edgelens.rules.yaml"}, "evaluation_interval": "1m", "tests": tests}); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

const instance = "box:8080"

// promTestOf makes one test. The value in the summary is the one that the service computes: Prometheus must have the same.
func promTestOf(t *testing.T, a *alarms.Alarm, name string, series map[string]string, fires bool) promTest {
	test := promTest{Interval: "1m", Name: a.Name + " " + name}
	for _, key := range slices.Sorted(maps.Keys(series)) {
		metric, labels, _ := strings.Cut(strings.TrimSuffix(key, "}"), "{")
		with := `job="edgelens",instance="` + instance + `"`
		if labels != "" {
			with += "," + labels
		}
		test.InputSeries = append(test.InputSeries, promSeries{metric + "{" + with + "}", series[key] + "x" + strconv.Itoa(minutes)})
	}
	check := alertTest{EvalTime: "30m", Alertname: a.Alert(), Expected: []promAlert{}}
	if fires {
		var value float64
		if a.Value != nil {
			value, _ = a.Value.Eval(historyOf(t, series)) // TestAlarmsFire has its errors
		}
		unit := map[string]string{"": "", "%": "%"}[a.Unit]
		if a.Unit != "" && a.Unit != "%" {
			unit = " " + a.Unit
		}
		check.Expected = append(check.Expected, promAlert{
			Labels: map[string]string{"severity": string(a.Severity), "job": "edgelens", "instance": instance},
			Annotations: map[string]string{
				"summary":     instance + ": " + strings.ReplaceAll(a.Summary, "{value}", fmt.Sprintf("%.4g", value)+unit),
				"description": a.Why, "runbook_url": "http://" + instance + "/docs/runbook#" + a.Name,
			},
		})
	}
	test.AlertTests = []alertTest{check}
	return test
}
