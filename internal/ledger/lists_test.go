//go:build cgo

package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"edgelens"
)

func TestJobsAreListedNewestFirst(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	clock := time.Now()
	l.SetClock(func() time.Time { clock = clock.Add(-time.Hour); return clock }) // it jumps backwards
	var want []string
	for range 5 {
		want = append([]string{accept(t, l).ID}, want...)
	}
	page, next, err := l.Jobs(t.Context(), edgelens.JobFilter{})
	must(t, err)
	equal(t, "jobs", idsOf(page), want)
	equal(t, "next", next, "")
	var oldestFirst []string
	for job, err := range l.Unfinished(t.Context()) {
		must(t, err)
		oldestFirst = append([]string{job.ID}, oldestFirst...)
	}
	equal(t, "unfinished, turned around", oldestFirst, want)
}

func idsOf(jobs []edgelens.Job) (ids []string) {
	for _, job := range jobs {
		ids = append(ids, job.ID)
	}
	return ids
}

func TestPagesAreStableDuringChanges(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	var want []string
	for range 25 {
		want = append([]string{accept(t, l).ID}, want...)
	}
	var got []string
	for filter := (edgelens.JobFilter{Limit: 4}); ; {
		page, next, err := l.Jobs(t.Context(), filter)
		must(t, err)
		got = append(got, idsOf(page)...)
		if next == "" {
			break
		}
		filter.Cursor = next
		accept(t, l)
		// The job of the cursor ends and is removed.
		must(t, l.Fail(t.Context(), got[len(got)-1], edgelens.JobError{Code: "bad_image"}))
		if _, err := l.Sweep(t.Context(), time.Now().Add(30*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "jobs", got, want)
}

func TestJobsByStatus(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	queued, running := accept(t, l).ID, accept(t, l).ID
	start(t, l, running)
	for status, want := range map[edgelens.JobStatus][]string{"queued": {queued}, "running": {running}, "failed": nil, "": {running, queued}} {
		page, _, err := l.Jobs(t.Context(), edgelens.JobFilter{Status: status})
		must(t, err)
		equal(t, fmt.Sprintf("status %q", status), idsOf(page), want)
	}
}

func TestUnfinishedYieldsEveryPage(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	want := map[string]bool{}
	for _, id := range acceptMany(t, l, 1100) {
		want[id] = true
	}
	done := accept(t, l).ID
	must(t, l.Finish(t.Context(), done, resultOf("cat", 0.5)))
	for job, err := range l.Unfinished(t.Context()) {
		must(t, err)
		if !want[job.ID] {
			t.Errorf("job %s (%s) is given twice, or should not be", job.ID, job.Status)
		}
		delete(want, job.ID)
		if len(want)%100 == 0 {
			start(t, l, job.ID) // writing meanwhile is allowed
		}
	}
	equal(t, "not yielded", len(want), 0)
}

func TestListsRejectInvalidFilter(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	for range 2 {
		must(t, l.Finish(t.Context(), accept(t, l).ID, resultOf("cat", 0.5)))
	}
	_, jobs, err := l.Jobs(t.Context(), edgelens.JobFilter{Limit: 1})
	must(t, err)
	_, results, err := l.Results(t.Context(), edgelens.ResultFilter{Limit: 1})
	must(t, err)
	if jobs == "" || results == "" {
		t.Fatalf("cursors %q and %q", jobs, results)
	}
	list := func(filter edgelens.JobFilter) error { _, _, err := l.Jobs(t.Context(), filter); return err }
	history := func(filter edgelens.ResultFilter) error { _, _, err := l.Results(t.Context(), filter); return err }
	events := func(limit int) error { _, err := l.Events(t.Context(), 0, limit); return err }
	for name, err := range map[string]error{
		"junk for a cursor":        list(edgelens.JobFilter{Cursor: "junk"}),
		"a cursor of another list": list(edgelens.JobFilter{Cursor: results}),
		"and the reverse       ":   history(edgelens.ResultFilter{Cursor: jobs}),
		"negative limit":           list(edgelens.JobFilter{Limit: -1}),
		"huge limit":               history(edgelens.ResultFilter{Limit: 1001}),
		"no such status":           list(edgelens.JobFilter{Status: "lost"}),
		"negative event limit":     events(-1),
	} {
		if !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

func FuzzCursor(f *testing.F) {
	l := open(f, f.TempDir(), quiet())
	for range 2 {
		accept(f, l)
	}
	_, next, err := l.Jobs(f.Context(), edgelens.JobFilter{Limit: 1})
	must(f, err)
	for _, seed := range []string{"", next, next + "=", "am9iczox", "am9iczowMQ", "am9iczotMQ", "cmVzdWx0czox", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, list := range []func() error{
			func() error { _, _, err := l.Jobs(t.Context(), edgelens.JobFilter{Cursor: cursor}); return err },
			func() error { _, _, err := l.Results(t.Context(), edgelens.ResultFilter{Cursor: cursor}); return err },
		} {
			if err := list(); err != nil && !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("%q: %v", cursor, err)
			}
		}
	})
}

func TestResultsByFilter(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	record := func(id, device, label string, hours int) edgelens.StoredResult {
		r, err := l.Record(t.Context(), edgelens.StoredResult{
			ID: id, Source: "mqtt", Device: device, CreatedAt: noon.Add(time.Duration(hours) * time.Hour), Result: resultOf(label, 0.7),
		})
		must(t, err)
		return r
	}
	record("a", "door", "cat", 0)
	record("b", "gate", "cat", 1)
	record("c", "door", "dog", 2)
	_, err := l.Record(t.Context(), edgelens.StoredResult{ID: "d", Source: "mqtt", Device: "door", CreatedAt: noon.Add(3 * time.Hour), Error: &edgelens.JobError{Code: "bad_image", Detail: "No."}})
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
				page, next, err := l.Results(t.Context(), test.filter)
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
	first, err := l.Record(t.Context(), edgelens.StoredResult{Source: "mqtt", Device: "door", Result: resultOf("cat", 0.7)})
	must(t, err)
	if first.ID == "" || first.CreatedAt.IsZero() || first.Outcome != "recognized" || first.Label != "cat" || first.Probability != 0.7 {
		t.Errorf("%+v", first)
	}
	got, err := l.Result(t.Context(), first.ID)
	must(t, err)
	equal(t, "the stored result", got, first)
	again, err := l.Record(t.Context(), edgelens.StoredResult{ID: first.ID, Result: resultOf("dog", 0.1)})
	must(t, err)
	equal(t, "the second with its ID", again, first)
	equal(t, "number of events", len(allEvents(t, l)), 1)

	empty := resultOf("cat", 0.7)
	empty.Predictions = nil
	uncertain, err := l.Record(t.Context(), edgelens.StoredResult{Result: empty})
	must(t, err)
	equal(t, "outcome without predictions", uncertain.Outcome, "uncertain")
	if _, err := l.Record(t.Context(), edgelens.StoredResult{JobID: "j"}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("with a job: %v, want ErrInvalid", err)
	}
	if _, err := l.Result(t.Context(), "nothing"); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("unknown: %v, want ErrNotFound", err)
	}
}
