//go:build cgo

package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

func person(id, name string) func(*edgelens.Reception) {
	return func(r *edgelens.Reception) { r.Record.Person.ID, r.Record.Person.Name = id, name }
}

// finishAll ends every unfinished job with a result.
func finishAll(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	for job, err := range l.Jobs.Unfinished(t.Context()) {
		must(t, err)
		start(t, l, job.ID)
		must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	}
}

// Each filter erases what it selects, as counted before, and nothing else.
func TestEraseByFilter(t *testing.T) {
	at := func(n int) time.Time { return time.UnixMicro(int64(n) * 5_000_000) } // of reception
	for name, test := range map[string]struct {
		filter edgelens.ErasureFilter
		left   string
		want   edgelens.Erased
	}{
		"person by number":  {edgelens.ErasureFilter{Person: "7"}, "[2 3 app]", edgelens.Erased{Results: 1, Records: 1, Jobs: 1, Images: 1, Undelivered: 2}},
		"person by name":    {edgelens.ErasureFilter{Person: "Bo"}, "[1 3 app]", edgelens.Erased{Results: 1, Records: 1, Jobs: 1, Images: 1, Undelivered: 2}},
		"device":            {edgelens.ErasureFilter{Device: "door"}, "[3 app]", edgelens.Erased{Results: 2, Records: 2, Jobs: 2, Images: 2, Undelivered: 4}},
		"device and person": {edgelens.ErasureFilter{Device: "gate", Person: "7"}, "[1 2 3 app]", edgelens.Erased{}},
		"time":              {edgelens.ErasureFilter{Since: at(2), Until: at(3)}, "[1 3 app]", edgelens.Erased{Results: 1, Records: 1, Jobs: 1, Images: 1, Undelivered: 2}},
		"everything":        {edgelens.ErasureFilter{Since: at(0)}, "[]", edgelens.Erased{Results: 4, Records: 3, Jobs: 4, Images: 4, Undelivered: 6}},
		"nothing":           {edgelens.ErasureFilter{Person: "none"}, "[1 2 3 app]", edgelens.Erased{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config := quiet()
			config.KeepImages = true
			l := open(t, dir, config)
			all := []edgelens.Reception{reception("door", 1, person("7", "Al")), reception("door", 2, person("8", "Bo")), reception("gate", 3, person("9", "Cy"))}
			jobs := map[string]string{}
			for _, r := range all {
				jobs[r.Record.Key] = receive(t, l, r).ID
			}
			app := accept(t, l, func(s *edgelens.JobSpec) { s.Device = "" })
			finishAll(t, l)
			counted, err := l.Erasure.Count(t.Context(), test.filter)
			must(t, err)
			erased, err := l.Erasure.Erase(t.Context(), test.filter)
			must(t, err)
			equal(t, "counted", counted, erased)
			erased.ImageBytes, test.want.Complete = 0, true
			equal(t, "erased", erased, test.want)

			left := []string{}
			for _, r := range all {
				_, err := l.Records.Record(t.Context(), r.Record.ID)
				_, noResult := l.Results.Result(t.Context(), r.Record.ID)
				_, noJob := l.Jobs.Job(t.Context(), jobs[r.Record.Key])
				if (err == nil) != (noResult == nil) || (err == nil) != (noJob == nil) || (err == nil) != filesIn(t, dir)[jobs[r.Record.Key]] {
					t.Errorf("record %s is erased in part: %v, %v, %v", r.Record.Key, err, noResult, noJob)
				}
				if err == nil {
					left = append(left, r.Record.Key)
				}
				// Duplicates of erased records are still duplicates.
				if _, existing, err := l.Records.Receive(t.Context(), r); err != nil || !existing {
					t.Errorf("record %s again: existing %v, %v", r.Record.Key, existing, err)
				}
			}
			if _, err := l.Jobs.Job(t.Context(), app.ID); err == nil {
				left = append(left, "app")
			}
			equal(t, "left", fmt.Sprint(left), test.left)
			gone := map[string]bool{}
			for _, r := range all {
				if _, err := l.Records.Record(t.Context(), r.Record.ID); err != nil {
					gone[r.Record.ID], gone[jobs[r.Record.Key]] = true, true
				}
			}
			for _, e := range allEvents(t, l) {
				if gone[e.Subject] {
					t.Errorf("the event %s of %s is left", e.Type, e.Subject)
				}
			}
			for _, device := range []string{"door", "gate"} {
				for _, d := range outbox(t, l, "hook", device) {
					if gone[d.Record.ID] {
						t.Errorf("record %s is still to be delivered", d.Record.Key)
					}
				}
			}
		})
	}
}

// A job under way is erased with its record; those who wait for it get an answer, and its result is dropped.
func TestEraseUnfinishedJob(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	job := receive(t, l, reception("door", 1))
	start(t, l, job.ID)
	waited := make(chan error, 1)
	go func() {
		_, err := l.Jobs.Wait(t.Context(), job.ID)
		waited <- err
	}()
	erased, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{Device: "door"})
	must(t, err)
	equal(t, "erased", [2]int64{erased.Jobs, erased.Images}, [2]int64{1, 1})
	if err := <-waited; !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("waiting: %v, want ErrNotFound", err)
	}
	if err := l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("finish: %v, want ErrNotFound", err)
	}
	equal(t, "files", len(filesIn(t, dir)), 0)
	equal(t, "events", len(allEvents(t, l)), 0)
}

// Many are erased in batches, while others write.
func TestEraseManyBesideWriters(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	ids := acceptMany(t, l, 450)
	finishAll(t, l)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			accept(t, l, func(s *edgelens.JobSpec) { s.Device = "gate" })
		}
	}()
	erased, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{Device: "door"})
	must(t, err)
	<-done
	equal(t, "erased", [2]int64{erased.Results, erased.Jobs}, [2]int64{int64(len(ids)), int64(len(ids))})
	left, _, err := l.Jobs.Jobs(t.Context(), edgelens.JobFilter{Limit: 1000})
	must(t, err)
	equal(t, "left", len(left), 50)
}

func TestEraseOneByID(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	stored, err := l.Results.Record(t.Context(), edgelens.StoredResult{Source: edgelens.SourceSync, Result: resultOf("cat", 0.5)})
	must(t, err)
	erased, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{ID: stored.ID})
	must(t, err)
	equal(t, "erased", erased, edgelens.Erased{Results: 1, Complete: true})
	if _, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{}); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("no filter: %v, want ErrInvalid", err)
	}
}

// What was erased is not in the database's file any more.
func TestErasedIsOverwritten(t *testing.T) {
	const name = "Ottilie Nachweisbar"
	dir := t.TempDir()
	l := open(t, dir, quiet())
	receive(t, l, reception("door", 1, person("7", name)))
	_, err := l.Erasure.Erase(t.Context(), edgelens.ErasureFilter{Person: name})
	must(t, err)
	must(t, l.Close()) // which writes the log into the database
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err == nil && containsBytes(content, []byte(name)) {
			t.Errorf("%s has the name", file.Name())
		}
	}
}
