package models

import (
	"errors"
	"fmt"
	"os"
)

// NewUnnamedFile returns a file with the given content that has no name, so that
// no other process can change or truncate it, and the path under which this process
// can open it for as long as the file is open. It is in memory where the kernel
// allows; name is shown by tools.
func NewUnnamedFile(name string, content []byte) (f *os.File, path string, err error) {
	f, err = newUnnamedFile(name)
	if err != nil {
		return nil, "", err
	}
	if _, err := f.Write(content); err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	return f, fmt.Sprintf("%s/%d", openFiles, f.Fd()), nil
}

// newRemovedFile returns a file in the folder for temporary ones, removed from
// its name.
func newRemovedFile(name string) (*os.File, error) {
	f, err := os.CreateTemp("", name)
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
