package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"edgelens"
)

// redisFiles are the places of a private Redis.
type redisFiles struct {
	dir    string
	socket string // known once prepared
}

func (f *redisFiles) config() string { return filepath.Join(f.dir, "redis.conf") }
func (f *redisFiles) data() string   { return filepath.Join(f.dir, "data") }
func (f *redisFiles) aside() string  { return filepath.Join(f.dir, "data.unreadable") }

// prepare makes them, and returns what removes the socket.
func (f *redisFiles) prepare(config RedisConfig) (func(), error) {
	if err := os.MkdirAll(f.data(), 0o700); err != nil {
		return nil, cannotWrite(err)
	}
	socket, remove, err := chooseSocket(f.dir, "redis.sock")
	if err != nil {
		return nil, err
	}
	f.socket = socket
	if err := f.writeConfig(config); err != nil {
		remove()
		return nil, cannotWrite(err)
	}
	return remove, nil
}

// setDataAside makes room for an empty start, and reports whether there was
// anything to set aside. Only the last such data is kept, or they would fill
// the disk.
func (f *redisFiles) setDataAside(d Death, log *slog.Logger) bool {
	if entries, err := os.ReadDir(f.data()); err != nil || len(entries) == 0 {
		return false
	}
	err := os.RemoveAll(f.aside())
	if err == nil {
		err = os.Rename(f.data(), f.aside())
	}
	if err == nil {
		err = os.MkdirAll(f.data(), 0o700)
	}
	if err != nil {
		log.Error("redis-server will not start because of its own data, and that cannot be set aside", "error", err, "reason", d.Error())
		return false
	}
	log.Error("redis-server will not start because of its own data: it is set aside and Redis starts EMPTY", "set_aside", f.aside(), "reason", d.Error())
	return true
}

// cannotWrite wraps an error about our own files.
func cannotWrite(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w; free some space", edgelens.ErrDiskFull, err)
	}
	return fmt.Errorf("%w: %w; let this user write below data_dir", edgelens.ErrInvalid, err)
}
