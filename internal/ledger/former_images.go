package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// formerImagesName was the folder of images before the first release.
const formerImagesName = "pictures"

// moveFormerImages moves the images of a version before the first release, if there are
// any, to where they are now. Where it fails nothing is lost: the next start continues it.
func moveFormerImages(dir string) error {
	former, now := filepath.Join(dir, formerImagesName), filepath.Join(dir, imagesName)
	if _, err := os.Lstat(former); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(now); errors.Is(err, fs.ErrNotExist) {
		return errors.Join(os.Rename(former, now), syncDir(dir))
	}
	entries, err := os.ReadDir(former)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.Rename(filepath.Join(former, entry.Name()), filepath.Join(now, entry.Name())); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(now), os.Remove(former))
}
