package heads

import (
	"io/fs"
	"os"
	"sync"
)

// cache has what was read of files, until they change. It is safe for concurrent use; its zero value is empty.
type cache[T any] struct {
	mu      sync.Mutex
	entries map[string]cached[T]
}

type cached[T any] struct {
	info  fs.FileInfo
	value T
	err   error
}

// maxEntries is how many keys a cache knows; then it starts anew.
const maxEntries = 4 * MaxHeads

// get returns what read made of the file as it is now, and keeps it by key, in place of what was read of another file. Files are
// replaced, never written in place, so that one with the same size and times has the same content.
func (c *cache[T]) get(key, path string, read func(path string) (T, error)) (T, error) {
	info, err := os.Stat(path)
	if err != nil {
		c.drop(key)
		return read(path) // with the reason
	}
	c.mu.Lock()
	known, ok := c.entries[key]
	c.mu.Unlock()
	if ok && os.SameFile(known.info, info) && known.info.Size() == info.Size() && known.info.ModTime().Equal(info.ModTime()) {
		return known.value, known.err
	}
	value, err := read(path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= maxEntries {
		c.entries = map[string]cached[T]{}
	}
	c.entries[key] = cached[T]{info, value, err}
	return value, err
}

// drop forgets what was kept by a key.
func (c *cache[T]) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, key)
}
