package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"edgelens"
	"edgelens/inference"
	"edgelens/internal/ledger"
	"edgelens/internal/telemetry"
	"edgelens/worker"
)

const (
	// conditionsInterval is how often the parts are checked.
	conditionsInterval = time.Second
	// brokerGrace is how long the MQTT broker may be disconnected, as while the service starts.
	brokerGrace = 3 * time.Second
)

// watchConditions checks the parts periodically and updates readiness, until ctx ends. Each source returns its present
// conditions.
func watchConditions(ctx context.Context, readiness *telemetry.Readiness, sources ...func() []edgelens.Condition) {
	tick := time.NewTicker(conditionsInterval)
	defer tick.Stop()
	var before []edgelens.Condition
	for {
		var now []edgelens.Condition
		for _, source := range sources {
			now = append(now, source()...)
		}
		updateReadiness(readiness, before, now)
		before = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func updateReadiness(readiness *telemetry.Readiness, before, now []edgelens.Condition) {
	still := map[string]bool{}
	for _, c := range now {
		still[c.Name] = true
		readiness.Set(c)
	}
	for _, c := range before {
		if !still[c.Name] {
			readiness.Clear(c.Name)
		}
	}
}

func degraded(name, reason string) edgelens.Condition {
	return edgelens.Condition{Name: name, Severity: edgelens.SeverityDegraded, Reason: reason}
}

// severity is that of an unavailable service, or of a degraded one.
func severity(unavailable bool) edgelens.Severity {
	if unavailable {
		return edgelens.SeverityUnavailable
	}
	return edgelens.SeverityDegraded
}

// ledgerConditions is the source of the ledger.
func ledgerConditions(l *ledger.Ledger) func() []edgelens.Condition {
	return func() (all []edgelens.Condition) {
		for _, p := range l.Problems() {
			all = append(all, edgelens.Condition{Name: p.Part, Severity: severity(p.Unavailable), Reason: p.Reason})
		}
		return all
	}
}

// interpreterConditions returns a condition for each model with interpreters that hang: a run that is not done within
// inference.invoke_timeout cannot be ended, and occupies a core and its memory until it is.
func interpreterConditions(models map[string]inference.PoolStats) (all []edgelens.Condition) {
	for name, stats := range models {
		switch {
		case stats.Stuck == 0:
		case stats.Idle+stats.Busy == 0:
			all = append(all, edgelens.Condition{Name: "interpreters of " + name, Severity: edgelens.SeverityUnavailable, Reason: fmt.Sprintf(
				"all %d hang in a run that does not end; restart the service, and remove the model if it happens again", stats.Stuck)})
		default:
			all = append(all, degraded("interpreters of "+name, fmt.Sprintf(
				"%d hang in a run that does not end, and %d serve; each takes a core and its memory until the service is restarted", stats.Stuck, stats.Idle+stats.Busy)))
		}
	}
	return all
}

// terminalConditions is the source of the deliveries and of MQTT.
func terminalConditions(t *terminals, outbox *ledger.Outbox, log *slog.Logger) func() []edgelens.Condition {
	connected := time.Now() // when the broker was last connected
	return func() (all []edgelens.Condition) {
		for _, a := range t.dispatcher.Alarms() {
			all = append(all, degraded("delivery to "+a.Sink, fmt.Sprintf(
				"failing since %s, events are kept and retried: %s", a.Since.UTC().Format(time.RFC3339), a.Reason)))
		}
		all = append(all, setAsideConditions(outbox, log)...)
		if t.bridge != nil {
			if t.bridge.Connected() {
				connected = time.Now()
			} else if since := time.Since(connected); since > brokerGrace {
				all = append(all, degraded("broker", fmt.Sprintf(
					"not connected to the MQTT broker for %v: no records of terminals arrive, and commands and events wait; the log has the reason", since.Round(time.Second))))
			}
			if err := t.bridge.TakenOver(); err != nil {
				all = append(all, degraded("mqtt", err.Error()))
			}
			if wrong := t.bridge.WrongClocks(); len(wrong) > 0 {
				all = append(all, degraded("clocks", fmt.Sprintf(
					"the clocks of %d devices are wrong, so that their records are not fresh: %s; GET /api/devices has the deviations and the settings to change", len(wrong), few(wrong))))
			}
		}
		return all
	}
}

func setAsideConditions(outbox *ledger.Outbox, log *slog.Logger) (all []edgelens.Condition) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	sinks, err := outbox.Stats(ctx)
	if err != nil {
		log.Warn("measuring the outbox failed", "error", err)
		return nil
	}
	for sink, stats := range sinks {
		if rejected := stats.Aside - stats.Restored; rejected > 0 {
			all = append(all, degraded("events for "+sink, fmt.Sprintf(
				"%d are set aside because the sink does not accept them; `edgelens outbox list` lists them, `edgelens outbox retry` retries them", rejected)))
		}
	}
	return all
}

// redisConditions is the source of the queue. A temporary outage of Redis delays jobs, which are kept; one that lasts
// until an operator acts makes the service unavailable.
func redisConditions(q *worker.Queue) func() []edgelens.Condition {
	return func() []edgelens.Condition {
		switch status := q.RedisStatus(); {
		case status.Err != nil:
			return []edgelens.Condition{{Name: "redis", Severity: severity(status.Lasting), Reason: "jobs are kept and dispatched later:  " + status.Err.Error()}}
		case status.Warning != "":
			return []edgelens.Condition{degraded("redis", status.Warning)}
		}
		return nil
	}
}

// few lists the first of many names.
func few(names []string) string {
	const limit = 5
	if len(names) > limit {
		return strings.Join(names[:limit], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}
