//go:build cgo

package ledger_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/ledger"
	"edgelens/internal/testutil"
)

// A database that is too large to be checked at the start is checked afterwards, if the last stop was unclean: damage is
// reported while it goes on, and set aside by the next start.
func TestDamageFoundBesideOtherWork(t *testing.T) {
	ledger.SetCheckTime(t, 0)
	dir := t.TempDir()
	var log testutil.LogBuffer
	openIt := func(unclean bool) *ledger.Ledger {
		t.Helper()
		if unclean { // SQLite ignores a log that it cannot read
			must(t, os.WriteFile(filepath.Join(dir, "ledger.db-wal"), []byte("left by a power cut"), 0o600))
		}
		return open(t, dir, quiet(), logTo(&log))
	}
	l := openIt(false)
	for range 50 {
		accept(t, l)
	}
	closeLedger(t, l)
	l = openIt(true)
	testutil.Eventually(t, "it is checked", func() bool { return log.Contains("it is intact") })
	closeLedger(t, l)

	damageIndex(t, dir, "results_by_label")
	l = openIt(false)
	equal(t, "problems after a clean stop, as nothing is checked", len(l.Problems()), 0)
	closeLedger(t, l)
	l = openIt(true)
	testutil.Eventually(t, "the damage is reported", func() bool { return len(l.Problems()) == 1 })
	problem := l.Problems()[0]
	if problem.Part != ledger.PartLedger || problem.Unavailable || !strings.Contains(problem.Reason, "restart edgelens") || !log.Contains("event=ledger_damaged_in_use") {
		t.Errorf("the problem is %+v, the log %s", problem, log.String())
	}
	accept(t, l) // it goes on
	closeLedger(t, l)

	l = openIt(false)
	aside, err := filepath.Glob(filepath.Join(dir, "corrupt-*"))
	must(t, err)
	if len(aside) != 1 || len(l.Problems()) != 0 || !log.Contains("event=ledger_damaged ") {
		t.Errorf("%v is set aside; problems: %v", aside, l.Problems())
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger.damaged")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the note of the damage: %v", err)
	}
}

// damageIndex overwrites the first page of an index.
func damageIndex(t *testing.T, dir, name string) {
	t.Helper()
	file := filepath.Join(dir, "ledger.db")
	db, err := sql.Open("sqlite3", file)
	must(t, err)
	var page, size int64
	must(t, db.QueryRow(`SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?`, name).Scan(&page, &size))
	must(t, db.Close())
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0x5a}, int(size)), (page-1)*size)
	must(t, errors.Join(err, f.Close()))
}
