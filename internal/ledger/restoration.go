package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"edgelens"
	"edgelens/internal/datadir"
)

// restoreFolder is where a backup is unpacked, beside the database.
const restoreFolder = "restore.tmp"

// IsIn reports whether a folder has a ledger.
func IsIn(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, databaseName))
	return err == nil
}

// Restoration brings the database and the images of a backup into a data folder that has none. It holds the lock of the
// ledger, and nothing is there before Finish. It is for one goroutine; Close must be called.
type Restoration struct {
	dir, folder string
	// others are further files and folders of the backup, by their names in the data folder.
	others []string
	lock   io.Closer
}

// BeginRestoration creates the data folder where it is missing, and locks it. Errors: edgelens.ErrInUse where a service
// uses it, ErrConflict where it has a ledger, or one of the others, which are files and folders in it that the backup has,
// too, and aside is "". Else aside is a new folder that gets them first.
func BeginRestoration(dir, aside string, others ...string) (*Restoration, error) {
	r, err := beginRestoration(dir, aside, others)
	if err != nil {
		return nil, fmt.Errorf("restore into %s: %w", dir, err)
	}
	return r, nil
}

func beginRestoration(dir, aside string, others []string) (*Restoration, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := datadir.Make(dir); err != nil {
		return nil, err
	}
	locked, err := lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, err
	}
	r := &Restoration{dir: dir, folder: filepath.Join(dir, restoreFolder), others: others, lock: locked}
	err = r.clear(aside)
	if err == nil {
		err = errors.Join(os.RemoveAll(r.folder), os.MkdirAll(r.images(), datadir.FolderMode))
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// clear moves what is in the way aside.
func (r *Restoration) clear(aside string) error {
	names := append([]string{imagesName, databaseName, databaseName + "-wal", databaseName + "-shm"}, r.others...)
	var found []string
	for _, name := range names {
		there, err := isThere(filepath.Join(r.dir, name))
		if err != nil {
			return err
		}
		if there {
			found = append(found, name)
		}
	}
	switch {
	case len(found) == 0:
		return nil
	case aside == "":
		return fmt.Errorf("%w: there is %s already, and a restore replaces nothing; choose an empty data folder, or move what is there into a new folder by --move-aside FOLDER", edgelens.ErrConflict, found[0])
	}
	if err := os.Mkdir(aside, datadir.FolderMode); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s, which is to get what is moved aside, is there already; name a new folder", edgelens.ErrConflict, aside)
	} else if err != nil {
		return datadir.Explain(aside, err)
	}
	for _, name := range found {
		if err := os.MkdirAll(filepath.Join(aside, filepath.Dir(name)), datadir.FolderMode); err != nil {
			return datadir.Explain(aside, err)
		}
		err := os.Rename(filepath.Join(r.dir, name), filepath.Join(aside, name))
		if errors.Is(err, syscall.EXDEV) {
			return fmt.Errorf("%w: %s is on another disk than the data folder, to which nothing can be moved at once; name a folder beside the data folder", edgelens.ErrInvalid, aside)
		}
		if err != nil {
			return datadir.Explain(filepath.Join(r.dir, name), err)
		}
	}
	return errors.Join(syncDir(aside), syncDir(r.dir))
}

// isThere reports whether there is a file, or a folder that is not empty.
func isThere(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, datadir.Explain(path, err)
	case !info.IsDir():
		return true, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return false, datadir.Explain(path, err)
	}
	return len(entries) > 0, nil
}

func (r *Restoration) images() string { return filepath.Join(r.folder, imagesName) }

// Other returns where one of the others, or what is in one, is to be written.
func (r *Restoration) Other(name string) string {
	return filepath.Join(r.folder, "others", filepath.FromSlash(name))
}

// CheckRoom returns an edgelens.ErrDiskFull where the disk has no room for that many bytes.
func (r *Restoration) CheckRoom(bytes int64) error {
	free, err := freeBytes(r.dir)
	if err == nil && free < bytes {
		err = fmt.Errorf("%w: the backup takes %d bytes, and %d are free on the disk of %s; free some space", edgelens.ErrDiskFull, bytes, free, r.dir)
	}
	return err
}

// Database returns where the database of the backup is to be written.
func (r *Restoration) Database() string { return filepath.Join(r.folder, databaseName) }

// Image returns where the image of a job is to be written; its folder may be missing.
func (r *Restoration) Image(job string) string {
	return filepath.Join(r.images(), imageFolder(job), job)
}

// Finish has what was undelivered or unfinished in the backup, which was taken at a time, wait for a decision, checks the
// database, and moves it with the images to where the ledger expects them.
func (r *Restoration) Finish(ctx context.Context, takenAt, now time.Time, keepDone time.Duration) (Restored, error) {
	restored, err := r.finish(ctx, takenAt, now, keepDone)
	if err != nil {
		return Restored{}, fmt.Errorf("restore into %s: %w", r.dir, err)
	}
	return restored, nil
}

func (r *Restoration) finish(ctx context.Context, takenAt, now time.Time, keepDone time.Duration) (restored Restored, err error) {
	db, _, err := openWriter(ctx, r.Database(), math.MaxInt64)
	if err != nil {
		return restored, err
	}
	err = checkTables(ctx, db, func(time.Duration) {})
	if err == nil {
		restored, err = hold(ctx, db, micros(takenAt), micros(now), keepDone)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, `PRAGMA journal_mode = DELETE`) // one file is to be moved
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return restored, err
	}
	syscall.Sync() // every image: one by one, it takes long
	for _, name := range r.others {
		if err := r.move(r.Other(name), name); err != nil {
			return restored, err
		}
	}
	if err := r.move(r.images(), imagesName); err != nil {
		return restored, err
	}
	// The database is moved last: without it, there is no ledger.
	return restored, r.move(r.Database(), databaseName)
}

// move moves what was unpacked to its name in the data folder, where an empty folder may be.
func (r *Restoration) move(from, name string) error {
	to := filepath.Join(r.dir, name)
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return datadir.Explain(to, err)
	}
	if err := os.Rename(from, to); err != nil {
		return datadir.Explain(to, err)
	}
	return syncDir(r.dir)
}

// Close removes what was unpacked and is not in place, and unlocks the data folder.
func (r *Restoration) Close() error {
	return errors.Join(os.RemoveAll(r.folder), r.lock.Close())
}

// removeTemporary removes what a backup or restore left that was killed.
func removeTemporary(dir string) error {
	return errors.Join(os.RemoveAll(filepath.Join(dir, snapshotFolder)), os.RemoveAll(filepath.Join(dir, restoreFolder)))
}
