package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"edgelens"
)

// explain wraps err with the action, and with the matching sentinel where err has none. It is nil for nil.
func (l *Ledger) explain(action string, err error) error {
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
		return fmt.Errorf("%s: %w; free some space on the disk that holds %s (%w)", action, edgelens.ErrDiskFull, l.dir, err)
	case isUnwritable(err):
		return fmt.Errorf("%s: %w", action, l.explainFile(err))
	case l.closed():
		return fmt.Errorf("%s: %w", action, edgelens.ErrStopping)
	default:
		return fmt.Errorf("%s: %w", action, err)
	}
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
