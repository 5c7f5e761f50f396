package coordinator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"edgelens"
)

// lock locks the folder for this process, until the returned file is closed or the process ends, even by a crash.
func lock(folder string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the federation: %w: %w", edgelens.ErrStorage, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(fmt.Errorf("%w; stop that one, or give this one another data folder", edgelens.ErrInUse), f.Close())
	}
	return nil, errors.Join(fmt.Errorf("lock the federation: %w: %w", edgelens.ErrStorage, err), f.Close())
}
