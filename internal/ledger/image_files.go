package ledger

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// tempSuffix marks an incomplete image.
const tempSuffix = ".tmp"

// imageFiles is the folder of the encoded images: a file for each job with an image and for each example, named by its id.
type imageFiles struct {
	dir     string
	storage *storage
	log     *slog.Logger
	// create opens the file to be written; tests simulate a full disk here.
	create func(name string) (*os.File, error)
}

// newImageFiles returns the folder, which need not be there yet.
func newImageFiles(storage *storage, log *slog.Logger) *imageFiles {
	create := func(name string) (*os.File, error) {
		return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	return &imageFiles{dir: storage.imagesDir, storage: storage, log: log, create: create}
}

func (f *imageFiles) file(id string) string { return filepath.Join(f.dir, id) }

// write writes an image atomically. It is durable after sync, which one call does for many. The error is errImages where
// the database is unaffected.
func (f *imageFiles) write(id string, image []byte) error {
	err := f.storage.checkImageRoom(int64(len(image)))
	if err == nil {
		err = f.writeFile(id, image)
	}
	return f.explain(err)
}

// sync makes the folder's entries durable. The error is errImages where the database is unaffected.
func (f *imageFiles) sync() error { return f.explain(syncDir(f.dir)) }

func (f *imageFiles) explain(err error) error {
	if f.storage.imagesAlone(err) {
		return f.storage.explainImages(err)
	}
	return err
}

func (f *imageFiles) writeFile(id string, image []byte) error {
	temp := f.file(id) + tempSuffix
	err := f.writeTemp(temp, image)
	if err == nil {
		err = os.Rename(temp, f.file(id))
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

func (f *imageFiles) writeTemp(name string, image []byte) error {
	temp, err := f.create(name)
	if err != nil {
		return err
	}
	_, err = temp.Write(image)
	if err == nil {
		err = temp.Sync()
	}
	return errors.Join(err, temp.Close())
}

func (f *imageFiles) read(id string) ([]byte, error) { return os.ReadFile(f.file(id)) }

// remove deletes an image without a row. Where that fails, the next Open retries.
func (f *imageFiles) remove(id string) {
	if err := f.removeFile(id); err != nil {
		f.log.Warn("deleting an image failed, retried at the next start", "id", id, "error", err)
	}
}

// removeFile deletes a file; a missing one is no error.
func (f *imageFiles) removeFile(name string) error {
	err := os.Remove(f.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeOthers deletes every file that is not the image of an id for which
// wanted is true, and returns how many.
func (f *imageFiles) removeOthers(wanted func(id string) (bool, error)) (removed int, err error) {
	dir, err := os.Open(f.dir)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1000)
		if errors.Is(err, io.EOF) {
			return removed, nil
		}
		if err != nil {
			return removed, err
		}
		for _, name := range names {
			keep := false
			if !strings.HasSuffix(name, tempSuffix) {
				if keep, err = wanted(name); err != nil {
					return removed, err
				}
			}
			if keep {
				continue
			}
			if err := f.removeFile(name); err != nil {
				return removed, err
			}
			removed++
		}
	}
}
