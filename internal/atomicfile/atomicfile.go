// Package atomicfile replaces files atomically, so that after a power cut a file has its old content or its new one.
// Its functions are safe for use by many goroutines.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes a file of the mode: to a temporary file in the same folder, synced, then renamed, with the folder
// synced. Where it fails, path is unchanged and the temporary file is removed. What root writes in place of a file of
// another user, or into a folder of one, belongs to that user, who could not use it otherwise.
func Write(path string, data []byte, mode fs.FileMode) error {
	return WriteChecked(path, data, mode, func(string) error { return nil })
}

// WriteChecked is Write with a check of the written file before it is renamed. An error
// of check is returned as it is.
func WriteChecked(path string, data []byte, mode fs.FileMode, check func(temporary string) error) error {
	// The suffix stays, since check may depend on it.
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*"+filepath.Ext(path))
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	ownerOf(path).give(f)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = check(f.Name())
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes the entries of a folder durable.
func SyncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
