// Package datadir creates and checks the service's data folders. Its errors about permissions are one sentence: the
// path, its owner, the user that this process runs as, and the command that repairs it.
package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"edgelens"
)

// The modes of all files and folders of the service: they contain names, faces and passwords.
const (
	FolderMode fs.FileMode = 0o700
	FileMode   fs.FileMode = 0o600
)

// Make creates a folder where there is none, with its parents, and checks that files can be created in it. The error is
// one of Explain.
func Make(dir string) error {
	if err := os.MkdirAll(dir, FolderMode); err != nil {
		return Explain(dir, err)
	}
	return CheckFolder(dir)
}

// CheckFolder creates and removes an empty file. It syncs nothing, so a success writes nothing to the disk. The error
// is one of Explain.
func CheckFolder(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return Explain(dir, err)
	}
	err = os.Remove(f.Name())
	if errors.Is(err, fs.ErrNotExist) { // as a leftover of a crash, meanwhile
		err = nil
	}
	return errors.Join(f.Close(), err)
}

// CheckFile opens a file for reading and writing; a missing one is no error. The error is one of Explain.
func CheckFile(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return Explain(file, err)
	}
	return f.Close()
}

// CheckTree checks that every folder and file below a folder can be written. The
// error is one of Explain.
func CheckTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
			return nil
		case err != nil:
			return Explain(path, err)
		case entry.IsDir():
			return CheckFolder(path)
		case entry.Type().IsRegular():
			return CheckFile(path)
		}
		return nil
	})
}

// Explain wraps an error about a path under it: edgelens.ErrDiskFull where there is no room, else edgelens.ErrStorage
// with the obstacle, its owner, our user, and the command that repairs it. It is nil for nil.
func Explain(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w; free some space on the disk that holds %s", edgelens.ErrDiskFull, err, path)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %s is on a file system that is mounted read-only: mount it for writing (mount -o remount,rw MOUNT), or choose another data_dir", edgelens.ErrStorage, path)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return fmt.Errorf("%w: %s is no folder: move it away, or choose another data_dir (%w)", edgelens.ErrStorage, path, err)
	case !errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %s cannot be used (%w); it belongs to %s, and this is %s", edgelens.ErrStorage, path, err, owner(path), us())
	}
	blocking, info := obstacle(path)
	if info == nil {
		return fmt.Errorf("%w: %s cannot be used by %s (%w); run: chown -R %d:%d %s", edgelens.ErrStorage, path, us(), err, os.Geteuid(), os.Getegid(), quote(path))
	}
	return fmt.Errorf("%w: %s belongs to %s and has mode %04o, and edgelens runs as %s, which may not write there; run: %s",
		edgelens.ErrStorage, blocking, ownerOf(info), info.Mode().Perm(), us(), cure(blocking, info))
}

// obstacle returns the path or its nearest existing parent.
func obstacle(path string) (string, fs.FileInfo) {
	for {
		info, err := os.Stat(path)
		if err == nil {
			return path, info
		}
		parent := filepath.Dir(path)
		if parent == path {
			return path, nil
		}
		path = parent
	}
}

// cure is the command that makes it writable: chmod where it is ours, else chown.
func cure(path string, info fs.FileInfo) string {
	recursive, mode := "", "u+rw"
	if info.IsDir() {
		recursive, mode = "-R ", "u+rwx"
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) == os.Geteuid() {
		return "chmod " + mode + " " + quote(path)
	}
	return fmt.Sprintf("chown %s%d:%d %s", recursive, os.Geteuid(), os.Getegid(), quote(path))
}

// quote quotes a path for a shell.
func quote(path string) string {
	for _, r := range path {
		if !strings.ContainsRune("/._-+:@%,=", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
		}
	}
	return path
}

func owner(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "an unknown owner"
	}
	return ownerOf(info)
}

func ownerOf(info fs.FileInfo) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "an unknown owner"
	}
	return named(int(stat.Uid))
}

func us() string { return named(os.Geteuid()) }

// named is a user id with its name, if this machine knows it.
func named(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf("%s (uid %d)", u.Username, uid)
	}
	return fmt.Sprintf("uid %d", uid)
}
