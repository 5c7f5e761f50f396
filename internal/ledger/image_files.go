package ledger

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// tempSuffix marks an incomplete image.
const tempSuffix = ".tmp"

// imageFiles are the files of the encoded images, one for each job with an image and for each example, named by its id, in
// folders by day. Those that an earlier version wrote directly into dir are read there until imageWalk has moved them. It is
// safe for use by many goroutines.
type imageFiles struct {
	dir     string
	storage *storage
	log     *slog.Logger
	// create opens the file to be written; tests simulate a full disk here.
	create func(name string) (*os.File, error)

	mu sync.Mutex
	// pending are the images whose rows are not durable yet.
	pending map[string]bool
	imageFolders
}

// newImageFiles returns the files in the folder of the images, which need not be there yet.
func newImageFiles(storage *storage, log *slog.Logger) *imageFiles {
	create := func(name string) (*os.File, error) {
		return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	return &imageFiles{dir: storage.imagesDir, storage: storage, log: log, create: create, pending: map[string]bool{}, imageFolders: newImageFolders()}
}

// begin announces an image that is to be written, and for which there is no row yet; settled must follow, once there is a
// durable one, or never will be. Its folder stays meanwhile.
func (f *imageFiles) begin(id string) (settled func()) {
	folder := imageFolder(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending[id] = true
	f.users[folder]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.pending, id)
		if f.users[folder]--; f.users[folder] == 0 {
			delete(f.users, folder)
		}
	}
}

func (f *imageFiles) isPending(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pending[id]
}

// file is where an image is written to.
func (f *imageFiles) file(id string) string { return filepath.Join(f.dir, imageFolder(id), id) }

// formerFile is where an earlier version wrote an image to.
func (f *imageFiles) formerFile(id string) string { return filepath.Join(f.dir, id) }

// write writes an image atomically. It is durable after sync, which one call does for many. The error is errImages where
// the database is unaffected.
func (f *imageFiles) write(id string, image []byte) error {
	err := f.storage.checkImageRoom(int64(len(image)))
	if err == nil {
		err = f.writeFile(id, image)
	}
	return f.explain(imageFolder(id), err)
}

// explain wraps an error of writing into a folder.
func (f *imageFiles) explain(folder string, err error) error {
	if !f.storage.imagesAlone(err) {
		return err
	}
	path := filepath.Join(f.dir, folder)
	if _, missing := os.Lstat(path); missing != nil {
		path = f.dir
	}
	return f.storage.explainImages(path, err)
}

func (f *imageFiles) writeFile(id string, image []byte) error {
	folder, temp := imageFolder(id), f.file(id)+tempSuffix
	err := f.enterFolder(folder)
	if err == nil {
		err = f.writeTemp(temp, image)
	}
	if err == nil {
		err = os.Rename(temp, f.file(id))
	}
	if err != nil {
		os.Remove(temp)
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsynced[folder] = true
	return nil
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

// read returns an image; its error is an fs.ErrNotExist where there is none.
func (f *imageFiles) read(id string) ([]byte, error) { return find(f, id, os.ReadFile) }

// open opens an image; its error is an fs.ErrNotExist where there is none.
func (f *imageFiles) open(id string) (*os.File, error) { return find(f, id, os.Open) }

// find uses an image wherever it is.
func find[T any](f *imageFiles, id string, use func(path string) (T, error)) (T, error) {
	// The first again: it may have been moved there meanwhile.
	for _, path := range []string{f.file(id), f.formerFile(id), f.file(id)} {
		found, err := use(path)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return found, err
		}
	}
	var none T
	return none, &fs.PathError{Op: "open", Path: f.file(id), Err: fs.ErrNotExist}
}

// remove deletes an image without a row, and its folder where that is empty and of another day. Where that fails, the next
// Open retries.
func (f *imageFiles) remove(id string) {
	// In this order: an image is moved from the first to the second, and is never at neither.
	if err := errors.Join(removeFile(f.formerFile(id)), removeFile(f.file(id))); err != nil {
		f.log.Warn("deleting an image failed, retried at the next start", "id", id, "error", err)
	}
	f.leaveFolder(imageFolder(id))
}

// removeFile deletes a file; a missing one is no error.
func removeFile(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}
