package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"edgelens"
)

// BecomeOwner makes root, for the rest of this process, the user that owns a folder, or the nearest one above it that
// exists, with that user's group alone: what a command of an operator writes there must be the service's, which could
// not use it otherwise. It does nothing for other users, and where the folder is root's.
func BecomeOwner(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var info fs.FileInfo
	var err error
	for path := dir; info == nil; path = filepath.Dir(path) {
		info, err = os.Stat(path)
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path)) {
			return Explain(dir, err)
		}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return nil
	}
	uid, gid := int(stat.Uid), int(stat.Gid)
	if err := errors.Join(syscall.Setgroups([]int{gid}), syscall.Setresgid(gid, gid, gid), syscall.Setresuid(uid, uid, uid)); err != nil {
		return fmt.Errorf("become the owner of %s: %w", dir, err)
	}
	return nil
}

// CheckOwner returns an error where root would write files into a folder of another user, who could not use them
// afterwards. It is nil for other users, and for a folder that does not exist.
func CheckOwner(dir string) error {
	info, err := os.Stat(dir)
	if os.Geteuid() != 0 || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return Explain(dir, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return nil
	}
	name := "#" + strconv.Itoa(int(stat.Uid))
	if owner, err := user.LookupId(strconv.Itoa(int(stat.Uid))); err == nil {
		name = owner.Username
	}
	return fmt.Errorf("%w: %s belongs to %s, who could not use what root writes there: run this by sudo -u %s", edgelens.ErrInvalid, dir, name, quote(name))
}

// MoveCommand returns the command that moves a data folder to another place, which may exist and have other files.
func MoveCommand(from, to string) string {
	if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("mkdir -p %s && mv %s %s", quote(filepath.Dir(to)), quote(from), quote(to))
	}
	return fmt.Sprintf("cp -a %s/. %s/ && rm -r %s", quote(from), quote(to), quote(from))
}
