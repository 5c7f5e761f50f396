package ledger

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

	mu sync.Mutex
	// pending are the images whose rows are not durable yet.
	pending map[string]bool
}

// newImageFiles returns the folder, which need not be there yet.
func newImageFiles(storage *storage, log *slog.Logger) *imageFiles {
	create := func(name string) (*os.File, error) {
		return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	return &imageFiles{dir: storage.imagesDir, storage: storage, log: log, create: create, pending: map[string]bool{}}
}

// begin announces an image that is to be written, and for which there is no row yet; settled must follow, once there is a
// durable one, or never will be.
func (f *imageFiles) begin(id string) (settled func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending[id] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.pending, id)
	}
}

func (f *imageFiles) isPending(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pending[id]
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

// removeOthers deletes every file that is not the image of an id for which wanted is true, and calls removed for each. It
// may run while images are written. After every leftoverBatch files it calls pause, and ends with its error.
func (f *imageFiles) removeOthers(wanted func(id string) (bool, error), pause func() error, removed func()) error {
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(leftoverBatch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			id := strings.TrimSuffix(name, tempSuffix)
			// In this order: what has a row by the time that it is not pending any more is wanted.
			keep := f.isPending(id)
			if !keep && id == name {
				if keep, err = wanted(id); err != nil {
					return err
				}
			}
			if keep {
				continue
			}
			if err := f.removeFile(name); err != nil {
				return err
			}
			removed()
		}
		if err := pause(); err != nil {
			return err
		}
	}
}
