//go:build !cgo

package ledger

import (
	"database/sql"
	"errors"

	_ "github.com/mattn/go-sqlite3" // a stub whose connections fail because they need cgo
)

func isSQLiteFull(error) bool { return false }

func isSQLiteUnwritable(error) bool { return false }

func isDamaged(err error) bool { return errors.Is(err, errDamaged) }

func copyPages(*sql.Conn, *sql.Conn, int, func(done, all int) error) error {
	return errors.New("this program was built without cgo, which SQLite needs")
}
