//go:build cgo

package ledger_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

func TestOpenRejectsSecondProcess(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, quiet())
	_, err := ledger.Open(t.Context(), dir, quiet(), parts())
	if !errors.Is(err, edgelens.ErrInUse) || !errors.Is(err, edgelens.ErrConflict) || strings.Contains(err.Error(), "request") || !strings.Contains(err.Error(), "another edgelens is using it") {
		t.Errorf("%v, want a conflict with the reason", err)
	}
	accept(t, first) // the first is unaffected
	closeLedger(t, first)
	open(t, dir, quiet())
}

func TestOpenRejectsInvalidConfig(t *testing.T) {
	_, err := ledger.Open(t.Context(), t.TempDir(), ledger.Config{}, parts())
	if !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("%v, want ErrInvalid", err)
	}
}

func TestOpenRemovesLeftoverImages(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	waiting, done := accept(t, l), accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), done.ID, resultOf("cat", 0.5)))
	closeLedger(t, l)
	for _, name := range []string{"stranger", waiting.ID + ".tmp", done.ID} {
		must(t, os.WriteFile(filepath.Join(dir, "images", name), []byte("x"), 0o600))
	}
	l = open(t, dir, quiet())
	testutil.Eventually(t, "the leftover files are gone", func() bool { return reflect.DeepEqual(filesIn(t, dir), map[string]bool{waiting.ID: true}) })
	equal(t, "the queued job", jobOf(t, l, waiting.ID), waiting)
}

func TestKeptImagesAreRemovedWhenNoLongerConfigured(t *testing.T) {
	dir := t.TempDir()
	config := quiet()
	config.KeepImages = true
	l := open(t, dir, config)
	job := accept(t, l)
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	closeLedger(t, l)
	l = open(t, dir, config)
	if _, err := l.Images.Image(t.Context(), job.ID); err != nil {
		t.Error(err)
	}
	closeLedger(t, l)
	l = open(t, dir, quiet())
	testutil.Eventually(t, "the images are gone", func() bool { return len(filesIn(t, dir)) == 0 })
	if _, err := l.Images.Image(t.Context(), job.ID); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
	stats, err := l.Stats(t.Context())
	must(t, err)
	equal(t, "image bytes", stats.ImageBytes, int64(0))
}

func TestDamagedDatabaseIsSetAside(t *testing.T) {
	for name, damage := range map[string]func(content []byte) []byte{
		"not a database": func(c []byte) []byte { return bytes.Repeat([]byte("junk"), len(c)/4) },
		"bad header":     func(c []byte) []byte { copy(c, "SQLite format 4"); return c },
		"bad pages": func(c []byte) []byte {
			for i := 8192; i < len(c); i++ {
				c[i] ^= 0x5a
			}
			return c
		},
		"cut off": func(c []byte) []byte { return c[:len(c)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, quiet())
			job := accept(t, l)
			closeLedger(t, l)
			file := filepath.Join(dir, "ledger.db")
			content, err := os.ReadFile(file)
			must(t, err)
			damaged := damage(content)
			must(t, os.WriteFile(file, damaged, 0o600))

			var log bytes.Buffer
			l, err = ledger.Open(t.Context(), dir, quiet(), parts(logTo(&log)))
			must(t, err)
			defer closeLedger(t, l)
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "event=ledger_damaged") {
				t.Errorf("the log is %q", log.String())
			}
			if _, err := l.Jobs.Job(t.Context(), job.ID); !errors.Is(err, edgelens.ErrNotFound) {
				t.Errorf("%v, want ErrNotFound", err)
			}
			accept(t, l)
			aside, err := filepath.Glob(filepath.Join(dir, "corrupt-*"))
			must(t, err)
			if len(aside) != 1 {
				t.Fatalf("set aside: %v", aside)
			}
			kept, err := os.ReadFile(filepath.Join(aside[0], "ledger.db"))
			must(t, err)
			equal(t, "the damaged file is untouched", bytes.Equal(kept, damaged), true)
			if _, err := os.Stat(filepath.Join(aside[0], "images", today(), job.ID)); err != nil {
				t.Errorf("its image: %v", err)
			}
		})
	}
}

func TestOnlyTheNewestDamagedLedgersAreKept(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		must(t, os.WriteFile(filepath.Join(dir, "ledger.db"), bytes.Repeat([]byte("junk"), 1000), 0o600))
		closeLedger(t, open(t, dir, quiet()))
	}
	aside, err := filepath.Glob(filepath.Join(dir, "corrupt-*"))
	must(t, err)
	equal(t, "number kept", len(aside), 3)
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	closeLedger(t, open(t, dir, quiet()))
	db, err := sql.Open("sqlite3", filepath.Join(dir, "ledger.db"))
	must(t, err)
	_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	must(t, errors.Join(err, db.Close()))
	_, err = ledger.Open(t.Context(), dir, quiet(), parts())
	if err == nil || !strings.Contains(err.Error(), "use the newer edgelens") {
		t.Errorf("%v, want a refusal with advice", err)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "corrupt-*")); len(aside) > 0 {
		t.Errorf("a sound database was set aside: %v", aside)
	}
}

func TestDurabilitySettings(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	for name, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "auto_vacuum": "2"} {
		got, err := l.Pragma(t.Context(), name)
		must(t, err)
		equal(t, name, got, want)
	}
}

func TestMethodsFailAfterClose(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	id := accept(t, l).ID
	waiting, started := make(chan error, 1), make(chan struct{})
	wake, cancel := l.Events.Subscribe()
	defer cancel()
	go func() {
		close(started)
		_, err := l.Jobs.Wait(t.Context(), id)
		waiting <- err
	}()
	<-started
	must(t, l.Close())
	must(t, l.Close())
	if err := <-waiting; !errors.Is(err, edgelens.ErrStopping) {
		t.Errorf("wait: %v, want ErrStopping", err)
	}
	if _, open := <-wake; open {
		t.Error("the subscription is still open")
	}
	_, _, acceptErr := l.Jobs.Accept(t.Context(), specOf(image("a")), image("a"))
	_, jobErr := l.Jobs.Job(t.Context(), id)
	_, eventsErr := l.Events.Events(t.Context(), 0, 0)
	for name, err := range map[string]error{"accept": acceptErr, "job": jobErr, "events": eventsErr, "finish": l.Jobs.Finish(t.Context(), id, resultOf("cat", 0.5))} {
		if !errors.Is(err, edgelens.ErrStopping) {
			t.Errorf("%s: %v, want ErrStopping", name, err)
		}
	}
	equal(t, "files", filesIn(t, dir), map[string]bool{id: true})
}
