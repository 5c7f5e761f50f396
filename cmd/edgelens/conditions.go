package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"edgelens/ledger"
	"edgelens/telemetry"
	"edgelens/worker"
)

// conditionsInterval is how often the parts are asked how they are.
const conditionsInterval = time.Second

// condition is what keeps a part from serving, or from serving as it should.
type condition struct {
	part string
	// unavailable: the service cannot do what it is there for; else it is
	// degraded.
	unavailable bool
	reason      string
}

// watchConditions asks the parts again and again and takes down in readiness how
// they are, until ctx ends. Each source returns what is wrong now.
func watchConditions(ctx context.Context, readiness *telemetry.Readiness, sources ...func() []condition) {
	tick := time.NewTicker(conditionsInterval)
	defer tick.Stop()
	var before []condition
	for {
		var now []condition
		for _, source := range sources {
			now = append(now, source()...)
		}
		takeDown(readiness, before, now)
		before = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func takeDown(readiness *telemetry.Readiness, before, now []condition) {
	still := map[string]bool{}
	for _, c := range now {
		still[c.part] = true
		if c.unavailable {
			readiness.NotReady(c.part, c.reason)
		} else {
			readiness.Ready(c.part)
		}
	}
	for _, c := range before {
		if !still[c.part] {
			readiness.Ready(c.part)
		}
	}
}

// ledgerConditions is the source of the ledger.
func ledgerConditions(l *ledger.Ledger) func() []condition {
	return func() (all []condition) {
		for _, p := range l.Problems() {
			all = append(all, condition{p.Part, p.Unavailable, p.Reason})
		}
		return all
	}
}

// ledgerStats reads the ledger for a scrape.
func ledgerStats(l *ledger.Ledger) telemetry.LedgerStats {
	stats := telemetry.LedgerStats{Removed: l.RemovedForSpace(), WithoutImage: l.RecordsWithoutImage()}
	for _, p := range l.Problems() {
		stats.Problems = append(stats.Problems, p.Part)
	}
	return stats
}

// terminalConditions is the source of the deliveries and of MQTT.
func terminalConditions(t *terminals, l *ledger.Ledger, log *slog.Logger) func() []condition {
	return func() (all []condition) {
		for _, a := range t.teller.Alarms() {
			all = append(all, condition{part: "delivery to " + a.Sink, reason: fmt.Sprintf(
				"not possible since %s, events are kept and tried again: %s", a.Since.UTC().Format(time.RFC3339), a.Reason)})
		}
		for sink, stats := range outboxStats(l, log) {
			if stats.Aside > 0 {
				all = append(all, condition{part: "events for " + sink, reason: fmt.Sprintf(
					"%d are set aside because it does not take them; `edgelens outbox list` shows them, `edgelens outbox retry` sends them again", stats.Aside)})
			}
		}
		if t.face != nil {
			if err := t.face.TakenOver(); err != nil {
				all = append(all, condition{part: "mqtt", reason: err.Error()})
			}
		}
		return all
	}
}

// redisConditions is the source of the queue. That Redis is away for a while delays
// jobs, which are kept; one that never serves until somebody changes it is as good
// as none.
func redisConditions(q *worker.Queue) func() []condition {
	return func() []condition {
		switch status := q.RedisStatus(); {
		case status.Err != nil:
			return []condition{{"redis", status.Lasting, "jobs are kept and wait: " + status.Err.Error()}}
		case status.Warning != "":
			return []condition{{"redis", false, status.Warning}}
		}
		return nil
	}
}
