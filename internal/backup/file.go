package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"edgelens"
	"edgelens/internal/atomicfile"
)

// fileMode is that of a backup: it has names, images and perhaps keys.
const fileMode fs.FileMode = 0o600

// Create writes a file by write: to a temporary one beside it, which is synced and renamed once it is complete. Without
// replace, a file that is there is an edgelens.ErrConflict. Other errors describe what is wrong with the path.
func Create(path string, replace bool, write func(*os.File) error) error {
	if _, err := os.Lstat(path); err == nil && !replace {
		return fmt.Errorf("%w: %s is there already; choose another name, or replace it by --replace", edgelens.ErrConflict, path)
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".edgelens-backup-")
	if err != nil {
		return explain(path, err)
	}
	err = f.Chmod(fileMode)
	if err == nil {
		err = write(f)
	}
	if err == nil {
		err = f.Sync()
	}
	err = explain(path, errors.Join(err, f.Close()))
	if err == nil {
		err = explain(path, os.Rename(f.Name(), path))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return explain(path, atomicfile.SyncFolder(folder))
}

// explain returns the error of writing a backup as a sentence.
func explain(path string, err error) error {
	folder := filepath.Dir(path)
	switch {
	case err == nil:
		return nil
	case edgelens.Code(err) != "internal": // it has a sentence
		return err
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: nothing was written to %s", edgelens.ErrCanceled, path)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %s has no room for the backup; free some space there, or choose another disk (%w)", edgelens.ErrDiskFull, folder, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %s is mounted read-only; choose another folder", edgelens.ErrStorage, folder)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: this user may not write into %s; choose another folder, or run the command as one who may (%w)", edgelens.ErrStorage, folder, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no folder %s; make it first", edgelens.ErrInvalid, folder)
	}
	return fmt.Errorf("write %s: %w", path, err)
}

// Check reads a whole backup, and returns what it is. unpack is called with each part but the sums, if it is not nil.
func Check(reader *Reader, unpack func(Entry) error) (Damage, error) {
	for {
		entry, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return reader.Damage(), nil
		}
		if err != nil {
			return reader.Damage(), err
		}
		if entry.Job == "" && entry.Name != SumsName && unpack != nil {
			if err := unpack(entry); err != nil {
				return reader.Damage(), err
			}
		}
	}
}
