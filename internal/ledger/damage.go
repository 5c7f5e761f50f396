package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	damagedPrefix = "corrupt-"
	// maxDamaged bounds how many damaged ledgers are kept, so that a failing SD card does not fill up with them.
	maxDamaged = 3
)

// setAside moves the database and its images into a folder of their own,
// corrupt-<time>, and returns its name. The oldest such folders are removed.
func setAside(dir string, now time.Time) (string, error) {
	aside := filepath.Join(dir, damagedPrefix+now.UTC().Format("20060102T150405.000000Z"))
	if err := os.Mkdir(aside, 0o700); err != nil {
		return "", err
	}
	if err := os.Remove(filepath.Join(dir, damagedName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	// The images are moved first: beside an empty database they would count as leftovers. SQLite drops a log without
	// its database.
	for _, name := range []string{imagesName, databaseName, databaseName + "-wal", databaseName + "-shm"} {
		err := os.Rename(filepath.Join(dir, name), filepath.Join(aside, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err := syncDir(dir); err != nil {
		return "", err
	}
	return aside, forgetDamaged(dir)
}

// forgetDamaged removes all but the newest folders that setAside made.
func forgetDamaged(dir string) error {
	entries, err := os.ReadDir(dir) // sorted by name, which is by time
	if err != nil {
		return err
	}
	var damaged []string
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), damagedPrefix) {
			damaged = append(damaged, filepath.Join(dir, entry.Name()))
		}
	}
	for len(damaged) > maxDamaged {
		if err := os.RemoveAll(damaged[0]); err != nil {
			return err
		}
		damaged = damaged[1:]
	}
	return nil
}
