//go:build cgo

package ledger_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"edgelens"
)

func TestFinishKeepsTheWholeResult(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	job := accept(t, l)
	start(t, l, job.ID)
	result := resultOf("cat", 0.59)
	must(t, l.Jobs.Finish(t.Context(), job.ID, result))
	closeLedger(t, l)
	l = open(t, dir, quiet())
	equal(t, "result", jobOf(t, l, job.ID).Result, result)
	page, _, err := l.Results.Results(t.Context(), edgelens.ResultFilter{})
	must(t, err)
	if len(page) != 1 {
		t.Fatalf("%d results, want 1", len(page))
	}
	item := page[0]
	equal(t, "history", item, edgelens.StoredResult{
		ID: item.ID, JobID: job.ID, Source: "http", Device: "door", Outcome: "recognized", Label: "cat", Probability: 0.59,
		CreatedAt: jobOf(t, l, job.ID).FinishedAt, Result: result,
	})
}

func TestFinishRejectsInvalidResult(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	id := accept(t, l).ID
	for name, result := range map[string]*edgelens.Result{"none": nil, "NaN": resultOf("cat", math.NaN())} {
		if err := l.Jobs.Finish(t.Context(), id, result); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	equal(t, "status", jobOf(t, l, id).Status, edgelens.JobQueued)
	equal(t, "number of events", len(allEvents(t, l)), 1)
}

func TestResultsByFilter(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	record := func(id, device, label string, hours int) edgelens.StoredResult {
		r, err := l.Results.Record(t.Context(), edgelens.StoredResult{
			ID: id, Source: "mqtt", Device: device, CreatedAt: noon.Add(time.Duration(hours) * time.Hour), Result: resultOf(label, 0.7),
		})
		must(t, err)
		return r
	}
	record("a", "door", "cat", 0)
	record("b", "gate", "cat", 1)
	record("c", "door", "dog", 2)
	_, err := l.Results.Record(t.Context(), edgelens.StoredResult{ID: "d", Source: "mqtt", Device: "door", CreatedAt: noon.Add(3 * time.Hour), Error: &edgelens.JobError{Code: "bad_image", Detail: "No."}})
	must(t, err)
	for name, test := range map[string]struct {
		filter edgelens.ResultFilter
		want   string
	}{
		"all":            {edgelens.ResultFilter{}, "dcba"},
		"device":         {edgelens.ResultFilter{Device: "door"}, "dca"},
		"label":          {edgelens.ResultFilter{Label: "cat"}, "ba"},
		"outcome":        {edgelens.ResultFilter{Outcome: "error"}, "d"},
		"since includes": {edgelens.ResultFilter{Since: noon.Add(2 * time.Hour)}, "dc"},
		"until excludes": {edgelens.ResultFilter{Until: noon.Add(2 * time.Hour)}, "ba"},
		"together":       {edgelens.ResultFilter{Device: "door", Label: "cat", Outcome: "recognized", Since: noon, Until: noon.Add(time.Minute)}, "a"},
		"nothing":        {edgelens.ResultFilter{Label: "horse"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			test.filter.Limit = 1
			got := ""
			for {
				page, next, err := l.Results.Results(t.Context(), test.filter)
				must(t, err)
				for _, result := range page {
					got += result.ID
				}
				if test.filter.Cursor = next; next == "" {
					break
				}
			}
			equal(t, "results", got, test.want)
		})
	}
}

func TestRecordFillsInAndIsIdempotent(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	first, err := l.Results.Record(t.Context(), edgelens.StoredResult{Source: "mqtt", Device: "door", Result: resultOf("cat", 0.7)})
	must(t, err)
	if first.ID == "" || first.CreatedAt.IsZero() || first.Outcome != "recognized" || first.Label != "cat" || first.Probability != 0.7 {
		t.Errorf("%+v", first)
	}
	got, err := l.Results.Result(t.Context(), first.ID)
	must(t, err)
	equal(t, "the stored result", got, first)
	again, err := l.Results.Record(t.Context(), edgelens.StoredResult{ID: first.ID, Result: resultOf("dog", 0.1)})
	must(t, err)
	equal(t, "the second with its ID", again, first)
	equal(t, "number of events", len(allEvents(t, l)), 1)

	empty := resultOf("cat", 0.7)
	empty.Predictions = nil
	uncertain, err := l.Results.Record(t.Context(), edgelens.StoredResult{Result: empty})
	must(t, err)
	equal(t, "outcome without predictions", uncertain.Outcome, "uncertain")
	if _, err := l.Results.Record(t.Context(), edgelens.StoredResult{JobID: "j"}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("with a job: %v, want ErrInvalid", err)
	}
	if _, err := l.Results.Result(t.Context(), "nothing"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("unknown: %v, want ErrNotFound", err)
	}
}
