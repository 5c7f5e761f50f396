package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"edgelens"
	"edgelens/internal/datadir"
)

// explain wraps err with the action, and with the matching sentinel where err has none. It is nil for nil.
func (d *database) explain(action string, err error) error {
	switch {
	case err == nil:
		return nil
	case edgelens.Code(err) != "internal":
		return fmt.Errorf("%s: %w", action, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w: %w", action, edgelens.ErrCanceled, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w: %w", action, edgelens.ErrDeadline, err)
	case isDiskFull(err):
		return fmt.Errorf("%s: %w; free some space on the disk that holds %s (%w)", action, edgelens.ErrDiskFull, d.storage.dir, err)
	case isUnwritable(err):
		return fmt.Errorf("%s: %w", action, d.storage.explainFile(err))
	case d.closed():
		return fmt.Errorf("%s: %w", action, edgelens.ErrStopping)
	default:
		return fmt.Errorf("%s: %w", action, err)
	}
}

// explainFile returns what is wrong with the database's file where that can be detected, and the error otherwise.
func (s *storage) explainFile(err error) error {
	if isDiskFull(err) {
		return fmt.Errorf("%w: free some space on the disk that holds %s (%w)", edgelens.ErrDiskFull, s.dir, err)
	}
	if found := checkDatabase(s.dir); found != nil {
		return found
	}
	return fmt.Errorf("%w: %s cannot be written (%w)", edgelens.ErrStorage, filepath.Join(s.dir, databaseName), err)
}

// explainImages wraps an error of writing an image into a folder.
func (s *storage) explainImages(folder string, err error) error {
	explained := datadir.Explain(folder, err)
	s.setImages(explained)
	return fmt.Errorf("%w: %w", errImages, explained)
}

// imagesAlone reports whether an error of writing an image leaves the database unaffected: a full disk does only where
// images have one of their own.
func (s *storage) imagesAlone(err error) bool {
	return err != nil && (!isDiskFull(err) || !s.sameDisk())
}

// isUnwritable reports whether err means that files cannot be written for a possibly temporary cause other than a lack
// of room.
func isUnwritable(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO) || errors.Is(err, fs.ErrPermission) || isSQLiteUnwritable(err)
}

// isDiskFull reports whether err is the system's or SQLite's error for a full disk.
func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || isSQLiteFull(err)
}
