//go:build cgo

package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

func openLogged(t *testing.T, dir string, config ledger.Config, change ...func(*ledger.Parts)) (*ledger.Ledger, *testutil.LogBuffer) {
	t.Helper()
	log := &testutil.LogBuffer{}
	return open(t, dir, config, append(change, logTo(log))...), log
}

func problemOf(l *ledger.Ledger, part string) ledger.Problem {
	for _, p := range l.Problems() {
		if p.Part == part {
			return p
		}
	}
	return ledger.Problem{}
}

// Jobs that finished less than MinAge ago stay, however little room there is; new ones are refused instead, and
// accepted again once there is room.
func TestRowsYoungerThanMinAgeAreKept(t *testing.T) {
	config := quiet()
	config.MaxBytes = 1 << 20
	now := time.Now()
	l, log := openLogged(t, t.TempDir(), config, steady(func() time.Time { return now }))
	result := resultOf(strings.Repeat("long ", 2000), 0.5) // fills the space with few rows
	var ids []string
	for range 200 {
		id := accept(t, l).ID
		must(t, l.Jobs.Finish(t.Context(), id, result))
		ids = append(ids, id)
	}
	events := len(allEvents(t, l))
	removed, err := l.Sweep(t.Context(), now.Add(config.MinAge-time.Second))
	must(t, err)
	equal(t, "removed", removed, 0)
	for _, id := range ids {
		jobOf(t, l, id)
	}
	equal(t, "events", len(allEvents(t, l)), events)

	image := image("one more")
	_, _, err = l.Jobs.Accept(t.Context(), specOf(image), image)
	if !errors.Is(err, edgelens.ErrStorage) || !strings.Contains(err.Error(), "ledger.min_age") {
		t.Errorf("accept: %v, want ErrStorage that names ledger.min_age", err)
	}
	for name, r := range map[string]edgelens.Reception{"with image": reception("door", 1), "without": reception("door", 2, withoutImage)} {
		if _, _, err := l.Records.Receive(t.Context(), r); !errors.Is(err, edgelens.ErrStorage) {
			t.Errorf("receive %s: %v, want ErrStorage", name, err)
		}
	}
	if p := problemOf(l, "space"); p.Unavailable || !strings.Contains(p.Reason, "ledger.max_bytes") {
		t.Errorf("problem %+v", p)
	}
	equal(t, "removed for space", l.RemovedForSpace()["jobs"], int64(0))
	if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "nothing more is accepted") {
		t.Errorf("log:\n%s", log)
	}

	// Older than MinAge: removed for space, and reported.
	now = now.Add(config.MinAge + time.Second)
	if removed, err = l.Sweep(t.Context(), now); err != nil || removed == 0 {
		t.Fatalf("removed %d, %v", removed, err)
	}
	if n := l.RemovedForSpace()["jobs"]; n == 0 {
		t.Error("no jobs were counted as removed for space")
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "raise ledger.max_bytes") {
		t.Errorf("log:\n%s", text)
	}
	if p := problemOf(l, "space"); !strings.Contains(p.Reason, "removed for space") {
		t.Errorf("problem %+v", p)
	}
	accept(t, l)
	receive(t, l, reception("door", 1))
	now = now.Add(11 * time.Minute)
	equal(t, "problem ten minutes later", problemOf(l, "space"), ledger.Problem{})
}

// The ids of records and the outbox take no room from rows younger than ledger.max_age.
func TestIDsAndOutboxDoNotCountForMaxBytes(t *testing.T) {
	config := quiet()
	config.MaxBytes = 2 << 20
	now := time.Now()
	l := open(t, t.TempDir(), config, steady(func() time.Time { return now }))
	job := accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	must(t, l.AddSeen(t.Context(), 40_000, now)) // 3 MB
	for n := range 1500 {                        // 4 MB of undelivered rows
		receive(t, l, reception("door", n, withoutImage))
	}
	now = now.Add(config.MinAge + time.Minute)
	if _, err := l.Sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	jobOf(t, l, job.ID)
	equal(t, "removed for space", l.RemovedForSpace()["jobs"], int64(0))
	accept(t, l)
}

// The assumed size of an id, in the table and its index, is not less than its real size, which stays small.
func TestSizeOfAnID(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	before := databasePages(t, l)
	const ids = 50_000
	must(t, l.AddSeen(t.Context(), ids, time.Now()))
	took := (databasePages(t, l) - before) * 4096 / ids
	if took > ledger.IDBytes || took < ledger.IDBytes*2/3 || ledger.IDBytes > 72 {
		t.Errorf("an id takes %d bytes and counts for %d", took, ledger.IDBytes)
	}
}

func TestIDsHaveTheirOwnLimit(t *testing.T) {
	config := quiet()
	config.RememberMax = 1000
	now := time.Now()
	l := open(t, t.TempDir(), config, steady(func() time.Time { return now }))
	must(t, l.AddSeen(t.Context(), 1500, now))
	if _, err := l.Sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Records.Receive(t.Context(), reception("door", 1)); !errors.Is(err, edgelens.ErrStorage) || !strings.Contains(err.Error(), "ledger.remember_max") {
		t.Errorf("receive: %v, want ErrStorage that names ledger.remember_max", err)
	}
	accept(t, l) // a job adds no id of a record
	if p := problemOf(l, "space"); !strings.Contains(p.Reason, "ledger.remember_max") {
		t.Errorf("problem %+v", p)
	}
	now = now.Add(config.MinAge + time.Second)
	if _, err := l.Sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	equal(t, "removed", l.RemovedForSpace()["ids"], int64(500))
	receive(t, l, reception("door", 1))
}

// Kept images of finished jobs are removed before anything is refused; the jobs stay.
func TestKeptImagesMakeRoom(t *testing.T) {
	config := quiet()
	config.KeepImages, config.MaxBytes = true, 3<<20
	dir := t.TempDir()
	l := open(t, dir, config)
	for i := range 60 {
		image := append(image(fmt.Sprint(i)), make([]byte, 100_000)...)
		job, _, err := l.Jobs.Accept(t.Context(), specOf(image), image)
		must(t, err)
		must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	}
	if _, err := l.Sweep(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	stats, err := l.Stats(t.Context())
	must(t, err)
	equal(t, "jobs", stats.Jobs[ledger.QueueStatus{Queue: edgelens.QueueInteractive, Status: edgelens.JobSucceeded}], int64(60))
	if stats.ImageBytes > config.MaxBytes || len(filesIn(t, dir)) == 0 {
		t.Errorf("%d bytes and %d files are left", stats.ImageBytes, len(filesIn(t, dir)))
	}
	if l.RemovedForSpace()["images"] == 0 {
		t.Error("no images were counted as removed for space")
	}
	accept(t, l)
}
