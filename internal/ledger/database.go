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
	// readers is how many connections answer questions at a time.
	readers = 4
	// busyTimeout bounds the wait for a lock that someone else's tool holds.
	busyTimeout = 5 * time.Second
	// checkTime bounds the check of the file at start. What is so large that
	// it is not through by then is used unchecked, rather than waited for.
	checkTime = 5 * time.Second
	// walBytes is how much of the write-ahead log is kept between checkpoints.
	walBytes = 16 << 20
)

// errDamaged: the check of the file found it damaged.
var errDamaged = errors.New("the database is damaged")

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

// openWriter opens the one connection that writes, and brings the database to
// the newest schema.
func openWriter(ctx context.Context, file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", dataSource(file, map[string]string{
		"_journal_mode": "WAL",
		"_synchronous":  "FULL",
		"_auto_vacuum":  "incremental",
	}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	err = func() error {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA journal_size_limit = %d", walBytes)); err != nil {
			return err
		}
		if err := check(ctx, db); err != nil {
			return err
		}
		return migrate(ctx, db)
	}()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// openReaders opens the connections that only read.
func openReaders(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", dataSource(file, map[string]string{"_query_only": "on"}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return db, nil
}

// check reads the database through and returns errDamaged if it is.
func check(ctx context.Context, db *sql.DB) error {
	bounded, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var finding string
	err := db.QueryRowContext(bounded, "PRAGMA quick_check(1)").Scan(&finding)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded.Err() != nil:
		return nil
	case err != nil:
		return err
	case finding != "ok":
		return fmt.Errorf("%w: %s", errDamaged, finding)
	}
	return nil
}

// migrate applies the migrations that the database has not seen yet.
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
