package ledger

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"edgelens"
)

// checkRoom returns an error where the disk of the database has too little room, or would have with that many bytes
// more, if images are on it too.
func (s *storage) checkRoom(bytes int64) error {
	if !s.sameDisk() {
		bytes = 0
	}
	return s.checkDisk(s.dir, bytes)
}

// checkImageRoom returns an error where images have a disk of their own, and that many bytes more leave it too little
// room.
func (s *storage) checkImageRoom(bytes int64) error {
	if s.sameDisk() {
		return nil // checkRoom counts them
	}
	return s.checkDisk(s.imagesDir, bytes)
}

func (s *storage) checkDisk(dir string, bytes int64) error {
	free, err := freeBytes(dir)
	if err != nil {
		return err
	}
	if free-bytes < s.minFree {
		return fmt.Errorf("%w: %d bytes are free in %s and %d must stay so (min_free_bytes); free some space", edgelens.ErrDiskFull, free, dir, s.minFree)
	}
	return nil
}

// sameDisk reports whether the images are on the disk of the database.
func (s *storage) sameDisk() bool {
	var database, images syscall.Stat_t
	if syscall.Stat(s.dir, &database) != nil || syscall.Stat(s.imagesDir, &images) != nil {
		return true
	}
	return database.Dev == images.Dev
}

// freeBytes returns how many bytes are available on the disk of a folder.
func freeBytes(dir string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("ask for the free space at %s: %w", dir, err)
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}

// syncDir makes a folder's entries durable.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
