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

	"edgelens"
	"edgelens/internal/datadir"
)

const (
	// snapshotFolder is the folder of the copy while a backup is taken; it is on the disk of the database.
	snapshotFolder = "backup.tmp"
	// pagesInStep is how many pages are copied at a time, and stepsInSync after how many steps they are written to the
	// disk: otherwise, the next transaction could have to wait for all of them.
	pagesInStep, stepsInSync = 128, 8
)

// SnapshotOptions are how a Snapshot is taken.
type SnapshotOptions struct {
	// WithKeys keeps the keys of clients, and the enrolment tokens, in the copy.
	WithKeys bool
	// Pace is called after each step of the work with its duration, to leave time for other work; nil: at full speed.
	Pace func(worked time.Duration)
}

// SnapshotCounts are how many rows a copy has. Unfinished is of the jobs; Undelivered are the rows of the outbox; Images are
// those of jobs and of examples.
type SnapshotCounts struct {
	Jobs, Unfinished, Results, Records, Devices, Undelivered, Examples, Images, ImageBytes int64
}

// Snapshot is a copy of the database as of one moment, and the images that it refers to, which stay until Close. It is for
// one goroutine.
type Snapshot struct {
	// Folder has the copy, and room for other temporary files; Close removes it.
	Folder string
	// File is the copy: one file that was checked by SQLite's integrity check.
	File string
	// Schema is the version of its schema, TakenAt the moment, and Counts what is in it.
	Schema  int64
	TakenAt time.Time
	Counts  SnapshotCounts

	db   *database
	copy *sql.DB
}

// SnapshotImage is the image of a job or example that a Snapshot refers to; Job is its id. SHA256 and Bytes are those of the
// accepted image; Seq grows with each job's, and those of examples come last, with one that is above all.
type SnapshotImage struct {
	Job, SHA256 string
	Bytes, Seq  int64
}

// TakeSnapshot copies the database as of now while it is used; changes meanwhile are in the database alone. Close must be
// called. Errors: edgelens.ErrInUse where another one is open, ErrDiskFull where the copy would not leave
// Config.MinFreeBytes.
func (l *Ledger) TakeSnapshot(ctx context.Context, o SnapshotOptions) (*Snapshot, error) {
	if !l.db.hold.begin() {
		return nil, fmt.Errorf("take a backup: %w: another backup is being taken; wait until it is done", edgelens.ErrInUse)
	}
	if o.Pace == nil {
		o.Pace = func(time.Duration) {}
	}
	folder := filepath.Join(l.db.storage.dir, snapshotFolder)
	s := &Snapshot{Folder: folder, File: filepath.Join(folder, databaseName), db: l.db}
	if err := s.take(ctx, o); err != nil {
		return nil, errors.Join(l.db.explain("take a backup", err), s.Close())
	}
	return s, nil
}

func (s *Snapshot) take(ctx context.Context, o SnapshotOptions) error {
	if err := os.RemoveAll(s.Folder); err != nil {
		return err
	}
	if err := os.Mkdir(s.Folder, datadir.FolderMode); err != nil {
		return datadir.Explain(s.Folder, err)
	}
	if err := s.copyDatabase(ctx, o); err != nil {
		return err
	}
	if err := s.clean(ctx, o); err != nil {
		return err
	}
	var err error
	s.copy, err = openCopy(s.File)
	if err != nil {
		return err
	}
	if err := checkTables(ctx, s.copy, o.Pace); err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	if s.Counts, err = countRows(ctx, s.copy); err != nil {
		return err
	}
	s.Schema, err = schemaOf(ctx, s.copy)
	return err
}

// copyDatabase copies the database within one transaction, so that changes do not begin it again.
func (s *Snapshot) copyDatabase(ctx context.Context, o SnapshotOptions) (err error) {
	source, err := openReaders(filepath.Join(s.db.storage.dir, databaseName), readers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	from, err := source.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	bytes, err := s.begin(ctx, from)
	if err != nil {
		return err
	}
	defer func() {
		_, ended := from.ExecContext(context.Background(), `ROLLBACK`)
		err = errors.Join(err, ended)
	}()
	if err := s.db.storage.checkRoom(bytes); err != nil {
		return err
	}
	target, err := sql.Open(driverName, dataSource(s.File, map[string]string{"_journal_mode": "OFF", "_synchronous": "OFF"}))
	if err != nil {
		return err
	}
	target.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, target.Close()) }()
	to, err := target.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return s.copyTo(ctx, to, from, o.Pace)
}

// begin opens the transaction that is copied, and returns the size of the database in it.
func (s *Snapshot) begin(ctx context.Context, from *sql.Conn) (bytes int64, err error) {
	if _, err := from.ExecContext(ctx, `BEGIN`); err != nil {
		return 0, err
	}
	var last int64
	err = from.QueryRowContext(ctx, `SELECT coalesce((SELECT max(seq) FROM jobs), 0),
		(SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)`).Scan(&last, &bytes)
	s.TakenAt = micros(s.db.now())
	s.db.hold.bound(last)
	return bytes, err
}

// copyTo copies the pages, in steps.
func (s *Snapshot) copyTo(ctx context.Context, to, from *sql.Conn, pace func(time.Duration)) error {
	// It only writes the file's pages to the disk.
	file, err := os.OpenFile(s.File, os.O_RDWR|os.O_CREATE, datadir.FileMode)
	if err != nil {
		return err
	}
	defer file.Close()
	steps, began := 0, time.Now()
	return copyPages(to, from, pagesInStep, func(int, int) error {
		if steps++; steps%stepsInSync == 0 {
			if err := file.Sync(); err != nil {
				return err
			}
		}
		pace(time.Since(began))
		began = time.Now()
		return ctx.Err()
	})
}

// clean makes the copy one file, and removes what it must not have.
func (s *Snapshot) clean(ctx context.Context, o SnapshotOptions) error {
	db, err := sql.Open(driverName, dataSource(s.File, map[string]string{"_secure_delete": "on", "_synchronous": "OFF"}))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `PRAGMA journal_mode = DELETE`)
	if err == nil && !o.WithKeys {
		_, err = db.ExecContext(ctx, `DELETE FROM keys; DELETE FROM enrolment_tokens`)
	}
	return errors.Join(err, db.Close())
}

// Images calls do for each image that the copy refers to, the oldest job's first, and then those of examples.
func (s *Snapshot) Images(ctx context.Context, do func(SnapshotImage) error) error {
	if err := s.images(ctx, do, `SELECT seq, id, sha256, bytes FROM jobs WHERE image = 1 ORDER BY seq`); err != nil {
		return err
	}
	return s.images(ctx, do, `SELECT ?, id, sha256, bytes FROM examples ORDER BY examples.seq`, int64(math.MaxInt64))
}

func (s *Snapshot) images(ctx context.Context, do func(SnapshotImage) error, query string, args ...any) error {
	rows, err := s.copy.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var image SnapshotImage
		if err := rows.Scan(&image.Seq, &image.Job, &image.SHA256, &image.Bytes); err != nil {
			return err
		}
		if err := do(image); err != nil {
			return err
		}
	}
	return rows.Err()
}

// OpenImage opens the file of the image of a job or example; it may be missing.
func (s *Snapshot) OpenImage(job string) (*os.File, error) { return s.db.images.open(job) }

// Copied notes that the image with this SnapshotImage.Seq and those before it were copied: they need not be kept.
func (s *Snapshot) Copied(seq int64) { s.db.hold.advance(seq) }

// Close removes the copy, and the images that were kept for it alone. Calls after the first do nothing.
func (s *Snapshot) Close() error {
	var errs []error
	if s.copy != nil {
		errs = append(errs, s.copy.Close())
	}
	if s.db != nil {
		errs = append(errs, os.RemoveAll(s.Folder))
		for _, id := range s.db.hold.end() {
			s.db.images.remove(id)
		}
	}
	s.copy, s.db = nil, nil
	return errors.Join(errs...)
}
