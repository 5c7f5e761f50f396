package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"edgelens/internal/atomicfile"
)

// damagedName is a file that has the next Open check all of the database, which was found to be damaged while in use.
const damagedName = "ledger.damaged"

// errDamaged: the integrity check failed.
var errDamaged = errors.New("the database is damaged")

// check runs the integrity check for at most the given time, and returns errDamaged if it fails. done is false where the time
// was too short.
func check(ctx context.Context, db *sql.DB, limit time.Duration) (done bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = quickCheck(bounded, db, "1")
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case bounded.Err() != nil:
		return false, nil
	}
	return err == nil, err
}

// quickCheck runs SQLite's check (https://sqlite.org/pragma.html#pragma_quick_check) of a table, or of all for "1", and returns
// errDamaged with its first finding.
func quickCheck(ctx context.Context, q querier, of string) error {
	var finding string
	if err := q.QueryRowContext(ctx, "PRAGMA quick_check("+of+")").Scan(&finding); err != nil {
		return err
	}
	if finding != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, finding)
	}
	return nil
}

// stoppedUncleanly reports whether the last program to use the database did not close it: closing it removes its log.
func stoppedUncleanly(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, databaseName+"-wal"))
	return err == nil && info.Size() > 0
}

// checkBytes is the largest file that is checked at the start: in checkTime, SQLite checks as much on a fast machine. Of a larger
// one, the check would only cost that time.
const checkBytes = 32 << 20

// checkTime returns how long the start may check the database; 0 where it is not checked.
func (l *Ledger) checkTime() time.Duration {
	dir := l.db.storage.dir
	if _, err := os.Stat(filepath.Join(dir, damagedName)); err == nil {
		return math.MaxInt64
	}
	if info, err := os.Stat(filepath.Join(dir, databaseName)); err == nil && info.Size() > checkBytes {
		return 0
	}
	return checkTime
}

// checkBeside checks the database table by table, so that its log can be emptied in between, and reports damage. The database
// stays in use: what is readable is worth more than nothing, and the operator chooses when to restart.
func (l *Ledger) checkBeside(ctx context.Context) {
	begun := time.Now()
	err := l.checkTablesQuickly(ctx)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, errDamaged), isDamaged(err):
		if err := atomicfile.Write(filepath.Join(l.db.storage.dir, damagedName), []byte(err.Error()+"\n"), 0o600); err != nil {
			l.db.log.Warn("noting that the ledger is damaged failed: the next start may use it as it is", "error", err)
		}
		l.db.storage.setDamage(err)
	case err != nil:
		l.db.log.Warn("checking the ledger after an unclean stop failed, repeated after the next one", "error", err)
	default:
		l.db.log.Info("checked the ledger after an unclean stop: it is intact", "ms", time.Since(begun))
	}
}

// checkTablesQuickly runs SQLite's quick check of each table on a connection of its own, until ctx ends.
func (l *Ledger) checkTablesQuickly(ctx context.Context) error {
	db, err := openReaders(filepath.Join(l.db.storage.dir, databaseName), 1)
	if err != nil {
		return err
	}
	defer db.Close()
	tables, err := tablesOf(ctx, db)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := quickCheck(ctx, db, `"`+table+`"`); err != nil {
			return err
		}
	}
	return nil
}
