// Package socketpath places Unix sockets in a folder whose path may be too long for one. Its functions are safe for use
// by many goroutines; one process at a time may use a name in a folder.
package socketpath

import (
	"fmt"
	"os"
	"path/filepath"

	"edgelens"
)

// maxPath is the longest path of a Unix socket in bytes: sun_path has 108, one of them for the NUL (unix(7)).
const maxPath = 107

// Choose returns the path for a socket of that name, and a function that removes it again. It is in dir, or,
// where that makes the path too long, in a temporary folder: with a random name, for this user alone, so that no other
// user can create the path first.
func Choose(dir, name string) (string, func(), error) {
	socket := filepath.Join(dir, name)
	if len(socket) <= maxPath {
		return socket, func() { _ = os.Remove(socket) }, nil
	}
	// A killed process cannot remove the folder; the link leads the next run to it.
	link := linkOf(dir, name)
	removeFolder(link, name)
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"} {
		if !filepath.IsAbs(base) || len(filepath.Join(base, "edgelens-0123456789", name)) > maxPath {
			continue
		}
		folder, err := os.MkdirTemp(base, "edgelens-")
		if err != nil {
			continue
		}
		if err := os.Symlink(folder, link); err != nil {
			_ = os.Remove(folder)
			return "", nil, err
		}
		return filepath.Join(folder, name), func() { removeFolder(link, name) }, nil
	}
	return "", nil, fmt.Errorf("%w: the path %s is too long for a socket, and no folder for temporary files can be used; give a shorter data_dir", edgelens.ErrInvalid, socket)
}

// Find returns the path of the socket that another process chose; there may be none.
func Find(dir, name string) string {
	socket := filepath.Join(dir, name)
	if len(socket) <= maxPath {
		return socket
	}
	if folder, err := os.Readlink(linkOf(dir, name)); err == nil {
		return filepath.Join(folder, name)
	}
	return socket
}

// linkOf is the link to the folder of a socket that is elsewhere.
func linkOf(dir, name string) string { return filepath.Join(dir, name+".folder") }

// removeFolder removes the folder that the link points to, if it contains at most the socket, and the link.
func removeFolder(link, name string) {
	if folder, err := os.Readlink(link); err == nil {
		_ = os.Remove(filepath.Join(folder, name))
		_ = os.Remove(folder)
		_ = os.Remove(link)
	}
}
