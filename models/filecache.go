package models

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// fileCache remembers what read found in a file for as long as the file stays
// the same: same inode, size and modification time. It is safe for concurrent use;
// simultaneous requests for the same file read it once.
type fileCache[T any] struct {
	// read gets the open file and its size. An error means that the file could
	// not be read now; it is not remembered.
	read func(f *os.File, size int64) (T, error)

	mu    sync.Mutex
	files map[string]*cachedFile[T]
}

type cachedFile[T any] struct {
	mu    sync.Mutex
	info  os.FileInfo // nil until read
	facts T
}

// get returns what is known of the file at path. The error wraps
// os.ErrNotExist if there is no such file; it never contains the folder.
func (c *fileCache[T]) get(path string) (T, error) {
	var none T
	info, err := os.Stat(path)
	if err != nil {
		c.forget(path)
		return none, fmt.Errorf("look at %s: %w", filepath.Base(path), bare(err))
	}
	if !info.Mode().IsRegular() { // opening a pipe would block
		return none, fmt.Errorf("%s is not a regular file", filepath.Base(path))
	}

	file := c.file(path)
	file.mu.Lock()
	defer file.mu.Unlock()
	if file.info != nil && sameVersion(file.info, info) {
		return file.facts, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return none, fmt.Errorf("open %s: %w", filepath.Base(path), bare(err))
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return none, fmt.Errorf("look at %s: %w", filepath.Base(path), bare(err))
	}
	facts, err := c.read(f, info.Size())
	if err != nil {
		return none, fmt.Errorf("read %s: %w", filepath.Base(path), bare(err))
	}
	file.info, file.facts = info, facts
	return facts, nil
}

func (c *fileCache[T]) file(path string) *cachedFile[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = make(map[string]*cachedFile[T])
	}
	if c.files[path] == nil {
		c.files[path] = new(cachedFile[T])
	}
	return c.files[path]
}

func (c *fileCache[T]) forget(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.files, path)
}

func sameVersion(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// bare drops the path from a file error: the API shows these sentences, and must
// not reveal the folder.
func bare(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}
