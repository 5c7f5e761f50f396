//go:build !cgo

package ledger

import (
	"errors"

	_ "github.com/mattn/go-sqlite3" // a stub whose connections fail because they need cgo
)

func isSQLiteFull(error) bool { return false }

func isSQLiteUnwritable(error) bool { return false }

func isDamaged(err error) bool { return errors.Is(err, errDamaged) }
