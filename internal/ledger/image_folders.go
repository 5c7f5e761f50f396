package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"edgelens/internal/datadir"
	"edgelens/internal/uuid7"
)

// folderForm matches the names of the folders of images.
var folderForm = regexp.MustCompile(`^(\d{4,5}-\d\d-\d\d|hash-[0-9a-f]{2})$`)

// imageFolder returns the name of the folder of an image, which is the day of its id in UTC, or where that has no time, one
// of 256 by its hash.
func imageFolder(id string) string {
	if at, ok := uuid7.Time(id); ok {
		return dayFolder(at)
	}
	sum := sha256.Sum256([]byte(id))
	return "hash-" + hex.EncodeToString(sum[:1])
}

// dayFolder returns the name of the folder of the images of a day.
func dayFolder(at time.Time) string { return at.UTC().Format(time.DateOnly) }

// imageFolders is what imageFiles knows of its folders. It is guarded by the mutex of imageFiles.
type imageFolders struct {
	// users counts the images of each folder that are being written or moved there.
	users map[string]int
	// made are the folders that are known to be there.
	made map[string]bool
	// unsynced are the folders with entries that are not durable yet; that of the folders themselves is "".
	unsynced map[string]bool
	// current is the folder that was last written to. It stays though it is empty, for the next image.
	current string
}

func newImageFolders() imageFolders {
	return imageFolders{users: map[string]int{}, made: map[string]bool{}, unsynced: map[string]bool{}}
}

// enterFolder creates a folder where it is missing, and removes the one of the image before where that is another and empty.
func (f *imageFiles) enterFolder(folder string) error {
	if err := f.makeFolder(folder); err != nil {
		return err
	}
	f.mu.Lock()
	former := f.current
	f.current = folder
	f.mu.Unlock()
	if former != "" {
		f.leaveFolder(former)
	}
	return nil
}

// makeFolder creates a folder where it is missing.
func (f *imageFiles) makeFolder(folder string) error {
	path := filepath.Join(f.dir, folder)
	f.mu.Lock()
	defer f.mu.Unlock()
	err := os.Mkdir(path, datadir.FolderMode)
	switch {
	case errors.Is(err, fs.ErrExist) && f.made[folder]:
		return nil
	case errors.Is(err, fs.ErrExist):
		err = checkIsFolder(path)
	}
	if err != nil {
		return err
	}
	// One that was there before this process may not be durable either.
	f.made[folder], f.unsynced[""] = true, true
	return nil
}

// checkIsFolder returns an error for what is there and no folder: a symbolic link to one is none, as it may lead to another
// disk.
func checkIsFolder(path string) error {
	info, err := os.Lstat(path)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	}
	return err
}

// leaveFolder removes a folder that is empty and not in use.
func (f *imageFiles) leaveFolder(folder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if folder == f.current || f.users[folder] > 0 {
		return
	}
	if syscall.Rmdir(filepath.Join(f.dir, folder)) == nil {
		delete(f.made, folder)
		delete(f.unsynced, folder)
	}
}

// sync makes the entries of the folders that were written to durable. It is for one goroutine: another would not wait for
// what this one syncs. The error is errImages where the database is unaffected.
func (f *imageFiles) sync() error {
	f.mu.Lock()
	unsynced := f.unsynced
	f.unsynced = map[string]bool{}
	f.mu.Unlock()
	for folder := range unsynced {
		if err := f.syncFolder(folder); err != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			for folder := range unsynced { // those of other changes, too
				f.unsynced[folder] = true
			}
			return f.explain(folder, err)
		}
	}
	return nil
}

// syncFolder makes a folder's entries durable. One that was removed, as nothing was in it, needs none.
func (f *imageFiles) syncFolder(folder string) error {
	err := syncDir(filepath.Join(f.dir, folder))
	if errors.Is(err, fs.ErrNotExist) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if folder != "" && !f.made[folder] {
			return nil
		}
	}
	return err
}

// checkImages creates the folder of the images where it is missing, and returns an error where it, or that of the images
// of today, cannot be written.
func (s *storage) checkImages(today time.Time) error {
	if err := datadir.Make(s.imagesDir); err != nil {
		return err
	}
	path := filepath.Join(s.imagesDir, dayFolder(today))
	err := checkIsFolder(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return datadir.Explain(path, err)
	}
	return datadir.CheckFolder(path)
}
