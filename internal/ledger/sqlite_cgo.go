//go:build cgo

package ledger

import (
	"errors"
	"syscall"

	"github.com/mattn/go-sqlite3" // registers the driver "sqlite3"
)

// isSQLiteFull reports whether SQLite could not write for lack of room.
func isSQLiteFull(err error) bool {
	var fault sqlite3.Error
	if !errors.As(err, &fault) {
		return false
	}
	return fault.Code == sqlite3.ErrFull ||
		fault.Code == sqlite3.ErrIoErr && (fault.SystemErrno == syscall.ENOSPC || fault.SystemErrno == syscall.EDQUOT)
}

// isSQLiteUnwritable reports whether SQLite could not write for what lies outside
// of the statement: the file, the disk, the memory, or another program's lock.
func isSQLiteUnwritable(err error) bool {
	var fault sqlite3.Error
	if !errors.As(err, &fault) {
		return false
	}
	switch fault.Code {
	case sqlite3.ErrReadonly, sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrPerm, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrNomem:
		return true
	}
	return false
}

// isDamaged reports whether SQLite says that the file is no sound database.
func isDamaged(err error) bool {
	var fault sqlite3.Error
	if errors.Is(err, errDamaged) {
		return true
	}
	return errors.As(err, &fault) && (fault.Code == sqlite3.ErrCorrupt || fault.Code == sqlite3.ErrNotADB)
}
