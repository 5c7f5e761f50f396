package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MakeFolder creates a folder where there is none, with its parents. Like files, folders that root makes in one of
// another user belong to that user.
func MakeFolder(path string, mode fs.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(path); parent != path {
		if err := MakeFolder(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, mode); errors.Is(err, fs.ErrExist) {
		return os.MkdirAll(path, mode) // made meanwhile, or no folder
	} else if err != nil {
		return err
	}
	owner := ownerAt(filepath.Dir(path))
	if owner == nil {
		return nil
	}
	// Not by its name: the owner of the folder above could have put something else in its place.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	owner.give(f)
	return f.Close()
}

// owner is who files of root are given to.
type owner struct{ uid, gid int }

// ownerOf returns who a file at a path is to belong to, which root is about to write: the owner and group of the one that
// it replaces, else those of the folder. It is nil where that is root, and for other users.
func ownerOf(path string) *owner {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		return ownerAt(path)
	}
	return ownerAt(filepath.Dir(path))
}

func ownerAt(path string) *owner {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 && stat.Gid == 0 {
		return nil
	}
	return &owner{int(stat.Uid), int(stat.Gid)}
}

// give changes who an open file belongs to; nothing for a nil owner.
func (o *owner) give(f *os.File) {
	if o != nil {
		_ = f.Chown(o.uid, o.gid) // some file systems have no owners, or their own: what is written is right all the same
	}
}
