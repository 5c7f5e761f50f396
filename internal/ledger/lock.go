package ledger

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"edgelens"
)

// lock locks the file for this process, until the returned file is closed or the process ends, even by a crash.
func lock(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w; stop that one, or give this one another data_dir", edgelens.ErrInUse)
	}
	return nil, err
}

// noteOpening makes the time of the lock file that of this opening, and returns that of the one before. It is as durable as the
// next write of the database. An fs.ErrPermission is for a file of another user, which has a time nevertheless.
func noteOpening(f *os.File, now time.Time) (former time.Time, err error) {
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), os.Chtimes(f.Name(), now, now)
}
