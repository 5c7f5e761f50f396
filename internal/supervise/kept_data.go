package supervise

import (
	"log/slog"
	"os"
	"path/filepath"
)

// keptData is the folder of a child's data.
type keptData struct {
	dir string
	// of is the child's name.
	of string
}

func (k keptData) data() string  { return filepath.Join(k.dir, "data") }
func (k keptData) aside() string { return filepath.Join(k.dir, "data.unreadable") }

// setDataAside renames the data for an empty start, and reports whether there was any. Only the last such data is kept,
// to limit the disk usage.
func (k keptData) setDataAside(d ExitError, log *slog.Logger) bool {
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
		log.Error(k.of+" does not start because of its own data, and setting that aside failed", "event", "private_data_damaged", "error", err, "reason", d.Error())
		return false
	}
	log.Error(k.of+" does not start because of its own data: the data is set aside and it starts empty", "event", "private_data_damaged", "set_aside", k.aside(), "reason", d.Error())
	return true
}
