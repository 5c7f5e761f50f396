package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"

	"edgelens"
)

// datasetsSchema is the version of the schema from which on there are datasets.
const datasetsSchema = 23

// openCopy opens a copy of a database that nothing writes to.
func openCopy(file string) (*sql.DB, error) {
	db, err := sql.Open(driverName, dataSource(file, map[string]string{"mode": "ro", "immutable": "1", "_query_only": "on"}))
	if err == nil {
		db.SetMaxOpenConns(2) // one lists images while the other is asked
	}
	return db, err
}

// CheckCopy opens the copy of a database in a backup, checks it by SQLite's integrity check, and returns what is in it.
// Errors: edgelens.ErrInvalid where it is damaged, or of a newer version than this program's.
func CheckCopy(ctx context.Context, file string) (counts SnapshotCounts, err error) {
	db, err := openCopy(file)
	if err != nil {
		return counts, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	schema, err := schemaOf(ctx, db)
	if err != nil {
		return counts, fmt.Errorf("%w: the database in the backup cannot be read: %w", edgelens.ErrInvalid, err)
	}
	if err := CheckSchema(schema); err != nil {
		return counts, err
	}
	if err := checkTables(ctx, db, func(time.Duration) {}); err != nil {
		return counts, fmt.Errorf("%w: %w", edgelens.ErrInvalid, err)
	}
	return countRows(ctx, db)
}

// CheckSchema returns an edgelens.ErrInvalid for the version of a schema that this program does not know.
func CheckSchema(schema int64) error {
	newest, err := newestSchema()
	if err != nil {
		return err
	}
	if schema > newest {
		return fmt.Errorf("%w: the backup is of a newer edgelens: its database has schema %d, and this program knows only %d; use that version or a later one", edgelens.ErrInvalid, schema, newest)
	}
	if schema < 1 {
		return fmt.Errorf("%w: the backup has no schema of edgelens", edgelens.ErrInvalid)
	}
	return nil
}

// newestSchema returns the version of the schema that this program migrates to.
func newestSchema() (int64, error) {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		return 0, errors.Join(errors.New("there are no migrations"), err)
	}
	return goose.NumericComponent(files[len(files)-1])
}

// schemaOf returns the version of the schema of a database.
func schemaOf(ctx context.Context, q querier) (schema int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied`).Scan(&schema)
	return schema, err
}

// checkTables runs the integrity check of each table, and returns errDamaged if one fails.
func checkTables(ctx context.Context, db *sql.DB, pace func(time.Duration)) error {
	tables, err := tablesOf(ctx, db)
	if err != nil {
		return err
	}
	for _, table := range tables {
		began := time.Now()
		var finding string
		// With a context that can end, the check would run on another thread, of another priority.
		err := db.QueryRowContext(context.WithoutCancel(ctx), `SELECT integrity_check FROM pragma_integrity_check(?)`, table).Scan(&finding)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case finding != "ok":
			return fmt.Errorf("%w: %s: %s", errDamaged, table, finding)
		}
		pace(time.Since(began))
	}
	return nil
}

func tablesOf(ctx context.Context, db *sql.DB) (tables []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, err
		}
		tables = append(tables, table)
	}
	return tables, rows.Err()
}

func countRows(ctx context.Context, q querier) (c SnapshotCounts, err error) {
	examples, exampleBytes := `0`, `0`
	if schema, err := schemaOf(ctx, q); err != nil {
		return c, err
	} else if schema >= datasetsSchema {
		examples, exampleBytes = `(SELECT examples FROM example_totals)`, `(SELECT bytes FROM example_totals)`
	}
	err = q.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM jobs WHERE finished_at IS NULL),
		(SELECT count(*) FROM results), (SELECT count(*) FROM records), (SELECT count(*) FROM devices), (SELECT count(*) FROM outbox),
		`+examples+`, (SELECT count(*) FROM jobs WHERE image = 1) + `+examples+`, (SELECT coalesce(sum(bytes), 0) FROM jobs WHERE image = 1) + `+exampleBytes).
		Scan(&c.Jobs, &c.Unfinished, &c.Results, &c.Records, &c.Devices, &c.Undelivered, &c.Examples, &c.Images, &c.ImageBytes)
	return c, err
}
