package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// UseOwnFilesOnly lets nothing that this process and its children make from now
// on be readable for other users. It is for the whole process.
func UseOwnFilesOnly() { syscall.Umask(0o077) }

// Tighten takes the rights of other users from what an earlier version has left
// in a folder of ours, and from the folder: names are files and folders in it, and
// those that are not there are fine. Symbolic links are not followed, and what
// belongs to another user is left as it is.
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
