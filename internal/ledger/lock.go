package ledger

import (
	"errors"
	"fmt"
	"os"
	"syscall"

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
