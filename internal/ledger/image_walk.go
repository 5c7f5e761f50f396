package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// walkChunk is how many names of former files are in memory at a time. They are sorted, so that the images of a batch
	// are of few days.
	walkChunk = 10_000
	// maxForeign bounds how many names of foreign files are reported.
	maxForeign = 5
)

// openFolder opens a folder to list it; tests simulate one that cannot be read.
var openFolder = os.Open

// imageWalk visits every file in the folder of the images, once: it deletes those that are not wanted, moves those that are
// not in their folder there, and removes empty folders. It may run while images are read, written and removed. It is for one
// goroutine.
type imageWalk struct {
	files *imageFiles
	// wanted reports whether there is a row for an image, and pause is called after every leftoverBatch files; their errors
	// end the walk.
	wanted func(id string) (bool, error)
	pause  func() error

	removed, moved int
	// foreign is how many entries are neither an image nor a folder of images, which stay; firstForeign are the first of
	// them.
	foreign      int
	firstForeign []string
	// failed is the first error of a file, which stays.
	failed error
}

// run visits all files.
func (w *imageWalk) run() error {
	folders, err := w.visit("", walkChunk)
	for _, folder := range folders {
		if err == nil {
			_, err = w.visit(folder, leftoverBatch)
			w.files.leaveFolder(folder)
		}
	}
	return err
}

// visit visits the files of a folder, whose names it reads in chunks; "" is where folders are, which it returns.
func (w *imageWalk) visit(folder string, chunk int) (folders []string, err error) {
	dir, err := openFolder(filepath.Join(w.files.dir, folder))
	if err != nil {
		w.fail(err)
		return nil, nil
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(chunk)
		if err != nil && !errors.Is(err, io.EOF) {
			w.fail(err)
		}
		if err != nil {
			return folders, nil
		}
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
		for batch := range slices.Chunk(entries, leftoverBatch) {
			within, err := w.batch(folder, batch)
			if err == nil {
				err = w.pause()
			}
			if err != nil {
				return nil, err
			}
			folders = append(folders, within...)
		}
	}
}

// batch visits some entries of a folder, and returns the folders of images among them.
func (w *imageWalk) batch(folder string, entries []fs.DirEntry) (folders []string, err error) {
	var misplaced []string
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case folder == "" && entry.IsDir() && folderForm.MatchString(name):
			folders = append(folders, name)
		case folder == "" && name == "lost+found": // of a disk for images alone
		case entry.IsDir(), folderForm.MatchString(name): // or a link to a folder
			if w.foreign++; w.foreign <= maxForeign {
				w.firstForeign = append(w.firstForeign, filepath.Join(folder, name))
			}
		default:
			is, err := w.look(name)
			switch {
			case err != nil:
				return nil, err
			case is == fileLeftover:
				w.remove(folder, name)
			case is == fileStored && entry.Type().IsRegular() && imageFolder(name) != folder:
				misplaced = append(misplaced, name)
			}
		}
	}
	w.fail(w.move(folder, misplaced))
	return folders, nil
}

// fileState is what a file is: a leftover, or the image of a row, or one that is being written.
type fileState int

const (
	fileLeftover fileState = iota
	fileStored
	filePending
)

// String returns a name for logs.
func (s fileState) String() string {
	switch s {
	case fileLeftover:
		return "leftover"
	case fileStored:
		return "stored"
	case filePending:
		return "pending"
	default:
		return fmt.Sprintf("fileState(%d)", int(s))
	}
}

// look finds out what a file is by its name.
func (w *imageWalk) look(name string) (fileState, error) {
	id := strings.TrimSuffix(name, tempSuffix)
	// In this order: what has a row by the time that it is not pending any more is wanted.
	if w.files.isPending(id) {
		return filePending, nil
	}
	if id != name {
		return fileLeftover, nil
	}
	wanted, err := w.wanted(id)
	if err != nil || !wanted {
		return fileLeftover, err
	}
	return fileStored, nil
}

func (w *imageWalk) remove(folder, name string) {
	if err := removeFile(filepath.Join(w.files.dir, folder, name)); err != nil {
		w.fail(err)
		return
	}
	w.removed++
}

// move moves images to their folders. Each is at its new place, durably, before it is removed from the former one: where a
// file system has no hard links, it stays, and is used there.
func (w *imageWalk) move(from string, ids []string) error {
	folders := map[string]bool{}
	var linked []string
	for _, id := range ids {
		settled := w.files.begin(id) // its folder stays until it is moved
		defer settled()
		to := imageFolder(id)
		err := w.files.makeFolder(to)
		if err == nil {
			err = os.Link(filepath.Join(w.files.dir, from, id), w.files.file(id))
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // the image was removed meanwhile
			continue
		case err != nil && !errors.Is(err, fs.ErrExist): // if it exists, an earlier move was interrupted
			return err
		}
		folders[to] = true
		linked = append(linked, id)
	}
	if len(linked) == 0 {
		return nil
	}
	for folder := range folders {
		if err := syncDir(filepath.Join(w.files.dir, folder)); err != nil {
			return err
		}
	}
	if err := syncDir(w.files.dir); err != nil {
		return err
	}
	for _, id := range linked {
		if err := removeFile(filepath.Join(w.files.dir, from, id)); err != nil {
			return err
		}
		w.moved++
	}
	return nil
}

// fail notes the error of a file; the walk goes on.
func (w *imageWalk) fail(err error) {
	if err != nil && w.failed == nil {
		w.failed = err
	}
}
