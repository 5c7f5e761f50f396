//go:build cgo

package ledger_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

func containsBytes(content, part []byte) bool { return bytes.Contains(content, part) }

// restoreInto restores a snapshot of a ledger into a new folder, as of a time, and returns what waits.
func restoreInto(t testing.TB, l *ledger.Ledger, dir string, now time.Time) ledger.Restored {
	t.Helper()
	s := takeSnapshot(t, l, ledger.SnapshotOptions{})
	r, err := ledger.BeginRestoration(dir, "")
	must(t, err)
	defer func() { must(t, r.Close()) }()
	must(t, copyFile(r.Database(), s.File))
	must(t, s.Images(t.Context(), func(image ledger.SnapshotImage) error {
		f, err := s.OpenImage(image.Job)
		if err != nil {
			return err
		}
		return errors.Join(copyFile(r.Image(image.Job), f.Name()), f.Close())
	}))
	restored, err := r.Finish(t.Context(), s.TakenAt, now, time.Hour)
	must(t, err)
	must(t, s.Close())
	return restored
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	return err
}

// A restore is not a replay: undelivered events are set aside, unfinished jobs held, and commands failed. On request, they
// go on, as replayed.
func TestRestoreHoldsEverything(t *testing.T) {
	source := open(t, t.TempDir(), quiet())
	done, waiting := reception("door", 1), reception("door", 2)
	job := receive(t, source, done)
	start(t, source, job.ID)
	must(t, source.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	receive(t, source, waiting)
	running := accept(t, source, func(s *edgelens.JobSpec) { s.Deadline = time.Now().Add(time.Hour) })
	start(t, source, running.ID)
	command, err := source.Commands.AddCommand(t.Context(), "door", []byte(`{"cmd":"open"}`), time.Now().Add(time.Hour))
	must(t, err)

	dir := t.TempDir()
	took := 48 * time.Hour // past the deadline
	restored := restoreInto(t, source, dir, time.Now().Add(took))
	equal(t, "held events", restored.Events, int64(4))
	equal(t, "held jobs", restored.Jobs, int64(2))
	equal(t, "failed commands", restored.Commands, int64(1))
	equal(t, "old", restored.Old, int64(1))

	now := time.Now().Add(took)
	l := open(t, dir, quiet(), steady(func() time.Time { return now }))
	if _, err := l.Sweep(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	equal(t, "deliveries", len(outbox(t, l, "event", "door"))+len(outbox(t, l, "hook", "door")), 0)
	for held, err := range l.Jobs.Unfinished(t.Context()) {
		t.Errorf("job %s is to be queued, %v", held.ID, err)
	}
	n, err := l.Jobs.Expire(t.Context(), now)
	must(t, err)
	equal(t, "expired", n, 0)
	if _, _, err := l.Jobs.Start(t.Context(), running.ID); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("a held job starts: %v", err)
	}
	held := jobOf(t, l, running.ID)
	if !held.Held || held.Status != edgelens.JobQueued || held.Attempts != 0 {
		t.Errorf("%+v", held)
	}
	failed, err := l.Commands.Command(t.Context(), command.ID)
	must(t, err)
	if failed.Status != edgelens.CommandFailed || !strings.Contains(failed.Detail, "restored") {
		t.Errorf("%+v", failed)
	}
	waits, err := l.Restored(t.Context())
	must(t, err)
	equal(t, "what waits", [2]int64{waits.Events, waits.Jobs}, [2]int64{4, 2})

	// New records of the same device are not behind those that wait.
	later := reception("door", 3, func(r *edgelens.Reception) { r.Record.CapturedAt = now.Add(time.Second) })
	receive(t, l, later)
	next := outboxAfter(t, l, later)
	equal(t, "deliveries of a new record", len(next), 1)

	// The event of the job that ended goes first, those of the held one once it is done.
	retried, err := l.Outbox.RetrySetAside(t.Context(), "")
	must(t, err)
	equal(t, "retried", retried, 2)
	released, err := l.Jobs.ReleaseHeld(t.Context())
	must(t, err)
	equal(t, "released", released, 2)
	if deadline := jobOf(t, l, running.ID).Deadline; deadline.Sub(now).Round(time.Minute) != time.Hour {
		t.Errorf("the job has %v left, want an hour", deadline.Sub(now))
	}
	start(t, l, running.ID)
	for unfinished, err := range l.Jobs.Unfinished(t.Context()) {
		must(t, err)
		if unfinished.Record == "" {
			continue
		}
		start(t, l, unfinished.ID)
		must(t, l.Jobs.Finish(t.Context(), unfinished.ID, resultOf("cat", 0.5)))
	}
	retried, err = l.Outbox.RetrySetAside(t.Context(), "")
	must(t, err)
	equal(t, "retried then", retried, 2)
	for _, d := range outbox(t, l, "event", "door") {
		if replayed := d.Record.Freshness == edgelens.FreshnessReplayed; replayed != (d.Record.ID != later.Record.ID) {
			t.Errorf("%s: %s, %s", d.Record.Key, d.Record.Freshness, d.Record.FreshnessReason)
		}
		if d.Result.Freshness != d.Record.Freshness {
			t.Errorf("%s: the result is %s", d.Record.Key, d.Result.Freshness)
		}
	}
	waits, err = l.Restored(t.Context())
	must(t, err)
	equal(t, "it waits", waits.Waits(), false)
}

// outboxAfter finishes the job of a record, and returns its deliveries to the sink "event".
func outboxAfter(t testing.TB, l *ledger.Ledger, r edgelens.Reception) (found []edgelens.Delivery) {
	t.Helper()
	for job, err := range l.Jobs.Unfinished(t.Context()) {
		must(t, err)
		start(t, l, job.ID)
		must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	}
	for _, d := range outbox(t, l, "event", r.Record.Device) {
		if d.Record.ID == r.Record.ID {
			found = append(found, d)
		}
	}
	return found
}

// After a restore, a record that was captured before it counts as replayed, however fresh it would be: the service that
// went on after the backup may have had it. A duplicate of one in the backup stays a duplicate.
func TestRecordsFromBeforeTheRestoreAreReplayed(t *testing.T) {
	source := open(t, t.TempDir(), quiet())
	known := reception("door", 1)
	receive(t, source, known)
	dir := t.TempDir()
	now := time.Now()
	restoreInto(t, source, dir, now)
	l := open(t, dir, quiet())
	if _, existing, err := l.Records.Receive(t.Context(), known); err != nil || !existing {
		t.Errorf("the record of the backup: existing %v, %v", existing, err)
	}
	for n, test := range map[int]struct {
		captured time.Time
		want     edgelens.Freshness
	}{
		2: {now.Add(-time.Second), edgelens.FreshnessReplayed},
		3: {now.Add(time.Second), edgelens.FreshnessFresh},
		4: {time.Time{}, edgelens.FreshnessFresh},
	} {
		r := reception("door", n, func(r *edgelens.Reception) {
			r.Record.CapturedAt, r.Record.Freshness, r.Record.FreshnessReason = test.captured, edgelens.FreshnessFresh, ""
		})
		receive(t, l, r)
		record, err := l.Records.Record(t.Context(), r.Record.ID)
		must(t, err)
		if record.Freshness != test.want || (record.FreshnessReason == "") != (test.want == edgelens.FreshnessFresh) {
			t.Errorf("captured at %v: %s %q, want %s", test.captured, record.Freshness, record.FreshnessReason, test.want)
		}
	}
}

func TestRestoreRefusesFolderWithLedger(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	job := accept(t, l)
	if _, err := ledger.BeginRestoration(dir, ""); !errors.Is(err, edgelens.ErrInUse) {
		t.Errorf("beside a service: %v, want ErrInUse", err)
	}
	must(t, l.Close())
	if _, err := ledger.BeginRestoration(dir, ""); !errors.Is(err, edgelens.ErrConflict) || !strings.Contains(err.Error(), "--move-aside") {
		t.Errorf("%v, want ErrConflict", err)
	}
	aside := filepath.Join(dir, "before")
	must(t, os.WriteFile(filepath.Join(dir, "node"), []byte("abc\n"), 0o600))
	r, err := ledger.BeginRestoration(dir, aside, "node")
	must(t, err)
	must(t, r.Close())
	if _, err := os.Stat(filepath.Join(aside, "node")); err != nil {
		t.Error(err)
	}
	equal(t, "job in what was moved aside", jobOf(t, open(t, aside, quiet()), job.ID).ID, job.ID)
	// A folder that is there is not mixed with another ledger.
	must(t, os.WriteFile(filepath.Join(dir, "ledger.db"), nil, 0o600))
	if _, err := ledger.BeginRestoration(dir, aside); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("a second time into the same folder: %v", err)
	}
}

// A restore that was killed, or failed, leaves no ledger, and nothing else at the next start.
func TestUnfinishedRestoreLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	r, err := ledger.BeginRestoration(dir, "")
	must(t, err)
	if err := r.CheckRoom(1 << 60); !errors.Is(err, edgelens.ErrDiskFull) || r.CheckRoom(1) != nil {
		t.Errorf("no room: %v", err)
	}
	must(t, os.WriteFile(r.Database(), []byte("SQLite format 3\x00, and nothing else"), 0o600))
	if _, err := r.Finish(t.Context(), time.Now(), time.Now(), time.Hour); err == nil {
		t.Error("a damaged database is restored")
	}
	if ledger.IsIn(dir) {
		t.Error("there is a ledger")
	}
	must(t, r.Close())
	must(t, os.MkdirAll(filepath.Join(dir, "restore.tmp", "images"), 0o700))
	must(t, os.MkdirAll(filepath.Join(dir, "backup.tmp"), 0o700))
	open(t, dir, quiet())
	for _, name := range []string{"restore.tmp", "backup.tmp"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
}

func TestCheckCopyRefuses(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	acceptMany(t, l, 200)
	s := takeSnapshot(t, l, ledger.SnapshotOptions{})
	content, err := os.ReadFile(s.File)
	must(t, err)
	for name, test := range map[string]struct {
		change func([]byte) []byte
		want   string
	}{
		"no database": {func([]byte) []byte { return []byte(strings.Repeat("text ", 2000)) }, "cannot be read"},
		"a damaged one": {func(b []byte) []byte {
			for i := 8 << 10; i < len(b); i += 4096 {
				copy(b[i+100:], "damaged damaged damaged")
			}
			return b
		}, ""},
	} {
		file := filepath.Join(t.TempDir(), "copy.db")
		must(t, os.WriteFile(file, test.change(bytes.Clone(content)), 0o600))
		if _, err := ledger.CheckCopy(t.Context(), file); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ledger.CheckSchema(s.Schema + 1); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), "newer edgelens") {
		t.Errorf("a newer schema: %v", err)
	}
	if err := errors.Join(ledger.CheckSchema(s.Schema), ledger.CheckSchema(1)); err != nil {
		t.Error(err)
	}
}
