package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/pressly/goose/v3"
)

const (
	// readers is the number of connections for single rows, listReaders that for lists.
	readers, listReaders = 4, 2
	// busyTimeout bounds the wait for another program's lock.
	busyTimeout = 5 * time.Second
	// walBytes is how much of the write-ahead log is kept between checkpoints.
	walBytes = 16 << 20
)

// driverName is that of SQLite in database/sql; tests wrap it.
var driverName = "sqlite3"

// checkTime bounds the check of the file at start, which the rest waits for; tests change it.
var checkTime = 100 * time.Millisecond

//go:embed migrations/*.sql
var migrationFiles embed.FS

// dataSource returns the name of the database at file for the driver; options
// are those of https://pkg.go.dev/github.com/mattn/go-sqlite3#readme-dsn-examples.
func dataSource(file string, options map[string]string) string {
	query := url.Values{
		"_busy_timeout":    {fmt.Sprint(busyTimeout.Milliseconds())},
		"_foreign_keys":    {"on"},
		"_stmt_cache_size": {"64"},
	}
	for name, value := range options {
		query.Set(name, value)
	}
	return (&url.URL{Scheme: "file", Path: file, RawQuery: query.Encode()}).String()
}

// openWriter opens the one connection that writes, checks the database for at most that time, and migrates it to the newest
// schema. checked is false where the time was too short.
func openWriter(ctx context.Context, file string, checkTime time.Duration) (_ *sql.DB, checked bool, err error) {
	db, err := sql.Open(driverName, dataSource(file, map[string]string{
		"_journal_mode": "WAL",
		"_synchronous":  "FULL",
		"_auto_vacuum":  "incremental",
	}))
	if err != nil {
		return nil, false, err
	}
	db.SetMaxOpenConns(1)
	err = func() error {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA journal_size_limit = %d", walBytes)); err != nil {
			return err
		}
		if checked, err = check(ctx, db, checkTime); err != nil {
			return err
		}
		if err := migrate(ctx, db); err != nil {
			return err
		}
		return dropFormerIDs(ctx, db)
	}()
	if err != nil {
		return nil, false, errors.Join(err, db.Close())
	}
	return db, checked, nil
}

// openReaders opens the connections that only read.
func openReaders(file string, connections int) (*sql.DB, error) {
	db, err := sql.Open(driverName, dataSource(file, map[string]string{"_query_only": "on"}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// migrate applies the missing migrations.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > newest {
		return fmt.Errorf("the database has schema %d and this program knows only %d: use the newer edgelens that wrote it, or another data_dir", current, newest)
	}
	_, err = provider.Up(ctx)
	return err
}
