package models

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFiles is the folder that has a process's open files by number.
const openFiles = "/proc/self/fd"

// newUnnamedFile returns a file in memory (memfd_create(2)), or one on disk if the
// kernel does not support that.
func newUnnamedFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return newRemovedFile(name)
	}
	return os.NewFile(uintptr(fd), name), nil
}
