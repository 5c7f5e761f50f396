package ledger

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
)

// Sweep removes what is too old or too much as of now, and returns how many rows it removed. The ledger calls it every
// Config.SweepInterval.
func (l *Ledger) Sweep(ctx context.Context, now time.Time) (int, error) {
	return l.sweeper.sweep(ctx, now)
}

// RemovedForSpace returns how much was removed since the start for lack of space, by kind.
func (l *Ledger) RemovedForSpace() map[string]int64 { return l.space.removedByKind() }

// OpenAtVersion creates a database as an earlier version of the program left it.
func OpenAtVersion(ctx context.Context, dir string, version int64) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", dataSource(filepath.Join(dir, databaseName), nil))
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return nil, err
	}
	_, err = provider.UpTo(ctx, version)
	return db, err
}

// FillDisk makes every new image fail for lack of room: writes to /dev/full return ENOSPC.
func (l *Ledger) FillDisk() {
	l.db.images.create = func(name string) (*os.File, error) {
		f, err := os.Create(name) // must be removed
		if err != nil {
			return nil, err
		}
		f.Close()
		return os.OpenFile("/dev/full", os.O_WRONLY, 0)
	}
}

// FailFolder has a folder of images fail to be listed, as on a broken disk, until the test ends.
func FailFolder(t testing.TB, folder string) {
	openFolder = func(name string) (*os.File, error) {
		if filepath.Base(name) == folder {
			return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EIO}
		}
		return os.Open(name)
	}
	t.Cleanup(func() { openFolder = os.Open })
}

// Tidy removes and moves images as after the start, perhaps beside that.
func (l *Ledger) Tidy(ctx context.Context) { l.Images.tidy(ctx) }

// ImageFolder returns the name of the folder of an image.
var ImageFolder = imageFolder

// IsImageFolder reports whether a name is that of a folder of images.
func IsImageFolder(name string) bool { return folderForm.MatchString(name) }

// TestImages are files of images without rows.
type TestImages struct{ files *imageFiles }

// NewTestImages are files in a folder.
func NewTestImages(dir string) *TestImages {
	return &TestImages{newImageFiles(&storage{dir: dir, imagesDir: dir, log: slog.New(slog.DiscardHandler)}, slog.New(slog.DiscardHandler))}
}

// WriteAndRemove writes an image, reads it, and removes it.
func (i *TestImages) WriteAndRemove(id string, image []byte) error {
	defer i.files.begin(id)()
	if err := i.files.write(id, image); err != nil {
		return err
	}
	_, err := i.files.read(id)
	i.files.remove(id)
	return err
}

// MoveAll moves the images of an earlier version, all of which are wanted, without pauses, and returns how many.
func (i *TestImages) MoveAll() (moved int, err error) {
	walk := &imageWalk{files: i.files, wanted: func(string) (bool, error) { return true, nil }, pause: func() error { return nil }}
	err = walk.run()
	return walk.moved, errors.Join(err, walk.failed)
}

// Sync makes what was written durable.
func (i *TestImages) Sync() error { return i.files.sync() }

// Pragma returns a setting or a measure of the connection that writes.
func (l *Ledger) Pragma(ctx context.Context, name string) (value string, err error) {
	err = l.db.writer.conn.QueryRowContext(ctx, `PRAGMA `+name).Scan(&value)
	return value, err
}

// Probe runs one check of the storage.
func (l *Ledger) Probe(ctx context.Context) bool { return l.prober.probe(ctx) }

// IDBytes is the assumed size of the id of a record.
const IDBytes = idBytes

// AddSeen adds that many ids of records, a microsecond apart from a time on.
func (l *Ledger) AddSeen(ctx context.Context, n int, at time.Time) error {
	return l.db.write(ctx, func(c *change) error {
		_, err := c.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO record_ids (id, at) SELECT randomblob(16), ? + i FROM n`,
			n, at.UnixMicro())
		return err
	})
}

// FormerIDs returns how many ids of records are still to be moved, at most, and whether there is a table for them.
func (l *Ledger) FormerIDs(ctx context.Context) (left int64, table bool, err error) {
	err = l.db.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'seen')`).Scan(&table)
	return l.db.formerIDs.Load(), table, err
}

// CompactID returns the id of a record as it is stored.
var CompactID = compactID

// MoveFormerImages moves the images of a former version.
var MoveFormerImages = moveFormerImages

// TestWriter is a writer on a database of its own, whose changes do nothing.
type TestWriter struct {
	w            *writer
	db           *sql.DB
	transactions int
}

// NewTestWriter opens a TestWriter, which must be closed.
func NewTestWriter(ctx context.Context, dir string) (*TestWriter, error) {
	db, _, err := openWriter(ctx, filepath.Join(dir, databaseName), checkTime)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	t := &TestWriter{db: db}
	begin := func(*change) (func(), error) { return func() {}, nil }
	t.w = newWriter(conn, begin, func() error { return nil }, func(*change) {}, func(error) { t.transactions++ })
	return t, nil
}

// Write makes a change that does nothing durable.
func (t *TestWriter) Write(ctx context.Context, mayWait bool) error {
	return t.w.write(ctx, mayWait, func(*change) error { return nil })
}

// Close closes the writer and returns how many transactions there were.
func (t *TestWriter) Close() (transactions int, err error) {
	t.w.close()
	return t.transactions, errors.Join(t.w.conn.Close(), t.db.Close())
}

// SetCheckTime bounds the check of the database at the start, until the test ends.
func SetCheckTime(t testing.TB, d time.Duration) {
	former := checkTime
	checkTime = d
	t.Cleanup(func() { checkTime = former })
}

// ClockSteps returns how many steps of the clock are stored.
func (l *Ledger) ClockSteps(ctx context.Context) (n int, err error) {
	err = l.db.readers.QueryRowContext(ctx, `SELECT count(*) FROM clock_steps`).Scan(&n)
	return n, err
}

// SetMaxLooks bounds how many rows a page looks at, until the test ends.
func SetMaxLooks(t testing.TB, n int) {
	former := maxLooks
	maxLooks = n
	t.Cleanup(func() { maxLooks = former })
}

// RemoveResults removes all results and records, as retention does in the end.
func (l *Ledger) RemoveResults(ctx context.Context) error {
	return l.db.write(ctx, func(c *change) error {
		_, err := c.exec(`DELETE FROM outbox; DELETE FROM jobs; DELETE FROM records; DELETE FROM results`)
		return err
	})
}

// UseDriver has databases opened by another driver, which wraps SQLite's, from now on.
func UseDriver(name string) { driverName = name }

// Plan returns the steps by which SQLite would run a statement.
func (l *Ledger) Plan(ctx context.Context, statement string) (steps []string, err error) {
	n := strings.Count(statement, "?")
	for numbered := 9; numbered > 0; numbered-- {
		if strings.Contains(statement, "?"+strconv.Itoa(numbered)) {
			n = numbered
			break
		}
	}
	rows, err := l.db.readers.QueryContext(ctx, `EXPLAIN QUERY PLAN `+statement, make([]any, n)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, rows.Err()
}

// PartialIndexes returns the indexes of some rows of a table.
func (l *Ledger) PartialIndexes(ctx context.Context) (map[string]bool, error) {
	rows, err := l.db.readers.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names[name] = true
	}
	return names, rows.Err()
}

// IsMigration reports whether a statement is of a migration.
func IsMigration(statement string) bool {
	files, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		if text, err := fs.ReadFile(migrationFiles, file); err != nil || strings.Contains(string(text), strings.TrimSpace(statement)) {
			return err == nil
		}
	}
	return false
}
