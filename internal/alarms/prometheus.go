package alarms

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"edgelens"
)

// generated is the first line of files that are made from All.
const generated = "Generated from internal/alarms (`go test ./internal/alarms -update`)."

// ruleFile is a file of rules for Prometheus
// (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/).
type ruleFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

type ruleGroup struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Down is the alarm that the service cannot have itself.
func Down() Alarm {
	return Alarm{
		Name: "down", Title: "The service does not answer", Severity: edgelens.InsightCritical, For: 2 * window / 5,
		Why:     "Nothing is recognized, and terminals keep their records themselves, as far as they can.",
		Summary: "The service does not answer.",
		Actions: []string{"`systemctl status edgelens` and `journalctl -u edgelens -e` have the reason of the last end.", "Check the power and the network of the machine."},
	}
}

// Alert is the name of the alarm in Prometheus.
func (a *Alarm) Alert() string {
	name := "Edgelens"
	for word := range strings.SplitSeq(a.Name, "-") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}

// Condition is when the alarm holds, in PromQL.
func (a *Alarm) Condition() string {
	switch {
	case a.Value == nil:
		return `up{job="edgelens"} == 0`
	case a.Below != nil:
		return a.Value.Query() + " < " + strconv.FormatFloat(*a.Below, 'g', -1, 64)
	}
	return a.Value.Query() + " > " + strconv.FormatFloat(*a.Above, 'g', -1, 64)
}

// PrometheusRules returns the file of rules for Prometheus. An alert links to the runbook that the service itself serves.
func PrometheusRules() ([]byte, error) {
	group := ruleGroup{Name: "edgelens"}
	for _, a := range append(All(), Down()) {
		made := rule{Alert: a.Alert(), Expr: a.Condition(), Labels: map[string]string{"severity": string(a.Severity)}, Annotations: map[string]string{
			"summary":     "{{ $labels.instance }}: " + a.inPrometheus(a.Summary),
			"description": a.Why,
			"runbook_url": "http://{{ $labels.instance }}/docs/runbook#" + a.Name,
		}}
		if a.For > 0 {
			made.For = shortDuration(a.For)
		}
		group.Rules = append(group.Rules, made)
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# %s\n", generated)
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(ruleFile{[]ruleGroup{group}}); err != nil {
		return nil, fmt.Errorf("write the rules for Prometheus: %w", err)
	}
	return text.Bytes(), nil
}

// inPrometheus replaces {value} in a sentence by what Prometheus replaces.
func (a *Alarm) inPrometheus(sentence string) string {
	value := `{{ printf "%.4g" $value }}`
	switch a.Unit {
	case "":
	case "%":
		value += "%"
	default:
		value += " " + a.Unit
	}
	return strings.ReplaceAll(sentence, "{value}", value)
}
