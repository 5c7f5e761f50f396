package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"edgelens"
)

// redisFiles are the places of a private Redis.
type redisFiles struct {
	keptData
	socket string // known once prepared
}

func (f *redisFiles) config() string { return filepath.Join(f.dir, "redis.conf") }

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

// cannotWrite wraps an error about our own files.
func cannotWrite(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w; free some space", edgelens.ErrDiskFull, err)
	}
	return fmt.Errorf("%w: %w; let this user write below data_dir", edgelens.ErrInvalid, err)
}
