package supervise

import (
	"log/slog"
	"os"
	"path/filepath"
)

// keptData is the folder of what a child keeps.
type keptData struct {
	dir string
	// of is the child's name.
	of string
}

func (k keptData) data() string  { return filepath.Join(k.dir, "data") }
func (k keptData) aside() string { return filepath.Join(k.dir, "data.unreadable") }

// setDataAside makes room for an empty start, and reports whether there was
// anything to set aside. Only the last such data is kept, or they would fill
// the disk.
func (k keptData) setDataAside(d Death, log *slog.Logger) bool {
	if entries, err := os.ReadDir(k.data()); err != nil || len(entries) == 0 {
		return false
	}
	err := os.RemoveAll(k.aside())
	if err == nil {
		err = os.Rename(k.data(), k.aside())
	}
	if err == nil {
		err = os.MkdirAll(k.data(), 0o700)
	}
	if err != nil {
		log.Error(k.of+" will not start because of its own data, and that cannot be set aside", "error", err, "reason", d.Error())
		return false
	}
	log.Error(k.of+" will not start because of its own data: it is set aside and it starts EMPTY", "set_aside", k.aside(), "reason", d.Error())
	return true
}
