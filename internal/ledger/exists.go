package ledger

import (
	"os"
	"path/filepath"
)

// Exists reports whether there is a ledger in dir, as far as this user can see.
func Exists(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, databaseName))
	return err == nil && info.Mode().IsRegular()
}
