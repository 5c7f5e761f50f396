package quality

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFiles is the folder that has a process's open files by number.
const openFiles = "/proc/self/fd"

// newUnnamedFile returns a file in memory (memfd_create(2)), or one on disk where
// the kernel gives none.
func newUnnamedFile() (*os.File, error) {
	fd, err := unix.MemfdCreate(Name, unix.MFD_CLOEXEC)
	if err != nil {
		return newRemovedFile()
	}
	return os.NewFile(uintptr(fd), Name), nil
}
