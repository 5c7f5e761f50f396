//go:build cgo

package ledger

import (
	"database/sql"
	"errors"
	"syscall"

	"github.com/mattn/go-sqlite3" // registers the driver "sqlite3"
)

// isSQLiteFull reports whether SQLite could not write for lack of room.
func isSQLiteFull(err error) bool {
	var problem sqlite3.Error
	if !errors.As(err, &problem) {
		return false
	}
	return problem.Code == sqlite3.ErrFull ||
		problem.Code == sqlite3.ErrIoErr && (problem.SystemErrno == syscall.ENOSPC || problem.SystemErrno == syscall.EDQUOT)
}

// isSQLiteUnwritable reports whether SQLite could not write for a cause outside of the statement: the file, the disk,
// the memory, or another program's lock.
func isSQLiteUnwritable(err error) bool {
	var problem sqlite3.Error
	if !errors.As(err, &problem) {
		return false
	}
	switch problem.Code {
	case sqlite3.ErrReadonly, sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrPerm, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrNomem:
		return true
	}
	return false
}

// isDamaged reports whether SQLite found the database file damaged.
func isDamaged(err error) bool {
	var problem sqlite3.Error
	if errors.Is(err, errDamaged) {
		return true
	}
	return errors.As(err, &problem) && (problem.Code == sqlite3.ErrCorrupt || problem.Code == sqlite3.ErrNotADB)
}

// copyPages copies the database of one connection to that of another, as of the transaction that is open on the former:
// step pages at a time, each followed by a call of after, whose error ends it.
// https://www.sqlite.org/backup.html
func copyPages(to, from *sql.Conn, step int, after func(done, all int) error) error {
	return to.Raw(func(to any) error {
		return from.Raw(func(from any) error {
			backup, err := sqliteConn(to).Backup("main", sqliteConn(from), "main")
			if err != nil {
				return err
			}
			for done := false; !done; {
				if done, err = backup.Step(step); err == nil {
					err = after(backup.PageCount()-backup.Remaining(), backup.PageCount())
				}
				if err != nil {
					_ = backup.Finish() // it returns the error again
					return err
				}
			}
			return backup.Finish()
		})
	})
}

// sqliteConn returns the driver's connection, which tests wrap.
func sqliteConn(conn any) *sqlite3.SQLiteConn {
	if wrapped, ok := conn.(interface{ SQLite() *sqlite3.SQLiteConn }); ok {
		return wrapped.SQLite()
	}
	return conn.(*sqlite3.SQLiteConn)
}
