package supervise

import (
	"fmt"
	"os"
	"path/filepath"

	"edgelens"
)

// maxSocketPath is the longest path of a Unix socket in bytes: sun_path has 108, one of them for the NUL (unix(7)).
const maxSocketPath = 107

// chooseSocket returns the path for a socket of that name, and a function that removes it again. It is in dir, or,
// where that makes the path too long, in a temporary folder: with a random name, for this user alone, so that no other
// user can create the path first.
func chooseSocket(dir, name string) (string, func(), error) {
	socket := filepath.Join(dir, name)
	if len(socket) <= maxSocketPath {
		return socket, func() { _ = os.Remove(socket) }, nil
	}
	// A killed process cannot remove the folder; the link leads the next run to it.
	link := filepath.Join(dir, name+".folder")
	removeFolder(link, name)
	for _, base := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"} {
		if !filepath.IsAbs(base) || len(filepath.Join(base, "edgelens-0123456789", name)) > maxSocketPath {
			continue
		}
		folder, err := os.MkdirTemp(base, "edgelens-")
		if err != nil {
			continue
		}
		if err := os.Symlink(folder, link); err != nil {
			_ = os.Remove(folder)
			return "", nil, cannotWrite(err)
		}
		return filepath.Join(folder, name), func() { removeFolder(link, name) }, nil
	}
	return "", nil, fmt.Errorf("%w: the path %s is too long for a socket, and no folder for temporary files can be used; give a shorter data_dir", edgelens.ErrInvalid, socket)
}

// removeFolder removes the folder that the link points to, if it contains at most the socket, and the link.
func removeFolder(link, name string) {
	if folder, err := os.Readlink(link); err == nil {
		_ = os.Remove(filepath.Join(folder, name))
		_ = os.Remove(folder)
		_ = os.Remove(link)
	}
}
