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
	now := time.Now()
	l := open(t, t.TempDir(), quiet(), steady(func() time.Time { now = now.Add(-time.Hour); return now })) // it jumps backwards
	var want []string
	for range 5 {
		want = append([]string{accept(t, l).ID}, want...)
	}
	page, next, err := l.Jobs.Jobs(t.Context(), edgelens.JobFilter{})
	must(t, err)
	equal(t, "jobs", idsOf(page), want)
	equal(t, "next", next, "")
	var oldestFirst []string
	for job, err := range l.Jobs.Unfinished(t.Context()) {
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
		page, next, err := l.Jobs.Jobs(t.Context(), filter)
		must(t, err)
		got = append(got, idsOf(page)...)
		if next == "" {
			break
		}
		filter.Cursor = next
		accept(t, l)
		// The job of the cursor ends and is removed.
		must(t, l.Jobs.Fail(t.Context(), got[len(got)-1], edgelens.JobError{Code: "bad_image"}))
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
		page, _, err := l.Jobs.Jobs(t.Context(), edgelens.JobFilter{Status: status})
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
	must(t, l.Jobs.Finish(t.Context(), done, resultOf("cat", 0.5)))
	for job, err := range l.Jobs.Unfinished(t.Context()) {
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
		must(t, l.Jobs.Finish(t.Context(), accept(t, l).ID, resultOf("cat", 0.5)))
	}
	_, jobs, err := l.Jobs.Jobs(t.Context(), edgelens.JobFilter{Limit: 1})
	must(t, err)
	_, results, err := l.Results.Results(t.Context(), edgelens.ResultFilter{Limit: 1})
	must(t, err)
	if jobs == "" || results == "" {
		t.Fatalf("cursors %q and %q", jobs, results)
	}
	list := func(filter edgelens.JobFilter) error { _, _, err := l.Jobs.Jobs(t.Context(), filter); return err }
	history := func(filter edgelens.ResultFilter) error {
		_, _, err := l.Results.Results(t.Context(), filter)
		return err
	}
	events := func(limit int) error { _, err := l.Events.Events(t.Context(), 0, limit); return err }
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
	_, next, err := l.Jobs.Jobs(f.Context(), edgelens.JobFilter{Limit: 1})
	must(f, err)
	for _, seed := range []string{"", next, next + "=", "am9iczox", "am9iczowMQ", "am9iczotMQ", "cmVzdWx0czox", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, list := range []func() error{
			func() error { _, _, err := l.Jobs.Jobs(t.Context(), edgelens.JobFilter{Cursor: cursor}); return err },
			func() error {
				_, _, err := l.Results.Results(t.Context(), edgelens.ResultFilter{Cursor: cursor})
				return err
			},
		} {
			if err := list(); err != nil && !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("%q: %v", cursor, err)
			}
		}
	})
}
