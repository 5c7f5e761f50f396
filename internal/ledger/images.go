package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// tempSuffix marks an incomplete image.
const tempSuffix = ".tmp"

// images is the folder of the encoded images: a file for each job with an image, named by its id.
type images struct {
	dir string
	// create opens the file to be written; tests simulate a full disk here.
	create func(name string) (*os.File, error)
}

// openImages returns the folder, which need not be there yet.
func openImages(dir string) *images {
	create := func(name string) (*os.File, error) {
		return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	return &images{dir: dir, create: create}
}

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

func (p *images) file(id string) string { return filepath.Join(p.dir, id) }

// write writes an image atomically. It is durable after sync, which one call does for many.
func (p *images) write(id string, image []byte) error {
	temp := p.file(id) + tempSuffix
	err := p.writeTemp(temp, image)
	if err == nil {
		err = os.Rename(temp, p.file(id))
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// sync makes the folder's entries durable.
func (p *images) sync() error { return syncDir(p.dir) }

func (p *images) writeTemp(name string, image []byte) error {
	f, err := p.create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(image)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (p *images) read(id string) ([]byte, error) { return os.ReadFile(p.file(id)) }

// remove deletes an image; a missing one is no error.
func (p *images) remove(id string) error {
	err := os.Remove(p.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeOthers deletes every file that is not the image of an id for which
// wanted is true, and returns how many.
func (p *images) removeOthers(wanted func(id string) (bool, error)) (removed int, err error) {
	dir, err := os.Open(p.dir)
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
			if err := p.remove(name); err != nil {
				return removed, err
			}
			removed++
		}
	}
}

// freeBytes returns how many bytes are available on the disk of a folder.
func freeBytes(dir string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("ask for the free space at %s: %w", dir, err)
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}

// syncDir makes a folder's entries durable.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
