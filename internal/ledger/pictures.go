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

// tempSuffix marks a picture that is not whole yet.
const tempSuffix = ".tmp"

// pictures is the folder of the encoded pictures: a file for each job whose
// row says so, named by its id.
type pictures struct {
	dir string
	// create makes the file to be written; tests put a full disk here.
	create func(name string) (*os.File, error)
}

// openPictures returns the folder, which need not be there yet.
func openPictures(dir string) *pictures {
	create := func(name string) (*os.File, error) {
		return os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	}
	return &pictures{dir: dir, create: create}
}

func (p *pictures) file(id string) string { return filepath.Join(p.dir, id) }

// write makes a picture, whole or not at all. It is durable after sync, which
// one call does for many.
func (p *pictures) write(id string, image []byte) error {
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

// sync makes durable which pictures there are.
func (p *pictures) sync() error { return syncDir(p.dir) }

func (p *pictures) writeTemp(name string, image []byte) error {
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

func (p *pictures) read(id string) ([]byte, error) { return os.ReadFile(p.file(id)) }

// remove deletes a picture; one that is gone already is fine.
func (p *pictures) remove(id string) error {
	err := os.Remove(p.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeOthers deletes every file that is not the picture of an id for which
// wanted is true, and returns how many.
func (p *pictures) removeOthers(wanted func(id string) (bool, error)) (removed int, err error) {
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

// freeBytes returns how many bytes the disk that holds a folder has left for us.
func freeBytes(dir string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, fmt.Errorf("ask for the free space at %s: %w", dir, err)
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}

// syncDir makes durable which files a folder holds.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
