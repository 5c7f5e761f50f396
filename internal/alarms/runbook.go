package alarms

import (
	"fmt"
	"strings"
)

// Runbook returns the page, in Markdown, that each alert links to: what an alarm means and what to do.
func Runbook() []byte {
	var text strings.Builder
	text.WriteString(`# Runbook

What each alarm means, and what to do. Prometheus has them as alerts (` + "`deploy/prometheus/edgelens.rules.yaml`" + `), each with a link to its section here; the
service itself has the same as insights, on the page, as events over MQTT and the webhook, where no Prometheus runs. A running service serves this page at
` + "`/docs/runbook`" + `.

<!-- ` + generated + ` -->
`)
	for _, a := range append(All(), Down()) {
		fmt.Fprintf(&text, "\n## %s\n\n**%s**%s. %s\n\n", a.Name, a.Title, a.held(), a.Why)
		for i, action := range a.Actions {
			fmt.Fprintf(&text, "%d. %s\n", i+1, action)
		}
		switch {
		case a.Insight != "":
			fmt.Fprintf(&text, "\nAlert `%s`, %s; insight `%s` for each.\n", a.Alert(), a.Severity, a.Insight)
		case a.Value == nil:
			fmt.Fprintf(&text, "\nAlert `%s`, %s.\n", a.Alert(), a.Severity)
		default:
			fmt.Fprintf(&text, "\nAlert `%s`, insight `%s`, %s.\n", a.Alert(), a.Name, a.Severity)
		}
		fmt.Fprintf(&text, "\n```\n%s\n```\n", a.Condition())
	}
	return []byte(text.String())
}

// held is for how long the condition must have held.
func (a *Alarm) held() string {
	if a.For == 0 {
		return ""
	}
	return ", for " + shortDuration(a.For)
}
