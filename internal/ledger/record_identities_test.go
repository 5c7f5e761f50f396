//go:build cgo

package ledger_test

import (
	"encoding/json"
	"testing"
	"time"

	"edgelens"
)

// A repeated image is another record once some time has passed, unless the broker redelivers it.
func TestRepeatedImages(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	now := start
	l := open(t, t.TempDir(), quiet(), steady(func() time.Time { return now }))
	for _, step := range []struct {
		name      string
		at        time.Duration // since the start
		sentAgain bool
		existing  bool
	}{
		{"the first", 0, false, false},
		{"at once", time.Second, false, true},
		{"within the time", 29 * time.Second, false, true},
		{"after it", 31 * time.Second, false, false},
		{"within the time of the second", 60 * time.Second, false, true},
		{"an hour later, by the broker", time.Hour, true, true},
		{"an hour later", time.Hour, false, false},
		{"again", time.Hour + time.Second, false, true},
	} {
		t.Run(step.name, func(t *testing.T) {
			now = start.Add(step.at)
			_, existing, err := l.Records.Receive(t.Context(), reception("camera", 1, func(r *edgelens.Reception) {
				r.Record.Kind, r.Record.Key, r.Record.Verdict, r.Record.ReceivedAt = edgelens.RecordSnapshot, "", nil, now
				r.RepeatsAfter, r.SentAgain = 30*time.Second, step.sentAgain
			}))
			must(t, err)
			equal(t, "existing", existing, step.existing)
		})
	}
	ids := map[string]bool{}
	jobs, _, err := l.Jobs.Jobs(t.Context(), edgelens.JobFilter{Limit: 10})
	must(t, err)
	for _, job := range jobs {
		ids[job.Record] = true
	}
	equal(t, "ids of records", len(ids), 3)
}

// A record that an earlier version had is a duplicate where it is certainly the same, and otherwise a replay: no door
// opens for it, and none is lost.
func TestRecordsOfAnEarlierVersion(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	former := reception("door", 5)
	receive(t, l, former)
	renamed := func(verdict string) edgelens.Reception {
		return reception("door", 5, func(r *edgelens.Reception) {
			r.Record.Key, r.Record.Verdict, r.FormerID = "5|"+verdict, json.RawMessage(verdict), former.Record.ID
			r.Record.Freshness, r.Record.FreshnessReason = edgelens.FreshnessFresh, ""
		})
	}
	_, existing, err := l.Records.Receive(t.Context(), renamed(string(former.Record.Verdict)))
	must(t, err)
	equal(t, "the same", existing, true)
	other := renamed(`{"num":7,"name":"Bob"}`)
	job := receive(t, l, other)
	start(t, l, job.ID)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.7)))
	item, err := l.Results.Result(t.Context(), other.Record.ID)
	must(t, err)
	equal(t, "another one with its number", item.Freshness, edgelens.FreshnessReplayed)
	if item.FreshnessReason == "" {
		t.Error("there is no reason")
	}
	_, existing, err = l.Records.Receive(t.Context(), renamed(`{"num":7,"name":"Bob"}`))
	must(t, err)
	equal(t, "that one again", existing, true)
	unknown := reception("door", 6, func(r *edgelens.Reception) {
		r.FormerID, r.Record.Freshness = "none", edgelens.FreshnessFresh
	})
	job = receive(t, l, unknown)
	start(t, l, job.ID)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.7)))
	item, err = l.Results.Result(t.Context(), unknown.Record.ID)
	must(t, err)
	equal(t, "one that no earlier version had", item.Freshness, edgelens.FreshnessFresh)
}
