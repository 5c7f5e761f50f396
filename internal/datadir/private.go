package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// UseOwnFilesOnly makes all files that this process and its children create from now on private to this user. It
// applies to the whole process.
func UseOwnFilesOnly() { syscall.Umask(0o077) }

// Tighten removes the permissions of other users that an earlier version left in a folder of ours, and from the folder:
// names are files and folders in it; missing ones are no error. Symbolic links are not followed, and files of other
// users are not changed.
func Tighten(dir string, names ...string) error {
	var errs []error
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			}
			return tighten(path, entry)
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func tighten(path string, entry fs.DirEntry) error {
	if !entry.IsDir() && !entry.Type().IsRegular() && entry.Type() != fs.ModeSocket {
		return nil
	}
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(path, info.Mode().Perm()&^0o077)
}
