package supervise

import (
	"errors"
	"io/fs"
	"path/filepath"

	"edgelens/internal/datadir"
	"edgelens/internal/socketpath"
)

// redisFiles are the files of a private Redis.
type redisFiles struct {
	keptData
	socket string // known once prepared
}

func (f *redisFiles) config() string { return filepath.Join(f.dir, "redis.conf") }

// prepare creates them, and returns a function that removes the socket.
func (f *redisFiles) prepare(config RedisConfig) (func(), error) {
	if err := f.keptData.prepare(); err != nil {
		return nil, err
	}
	socket, remove, err := socketpath.Choose(f.dir, "redis.sock")
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
	var at *fs.PathError
	if errors.As(err, &at) {
		return datadir.Explain(at.Path, err)
	}
	return err
}

// prepare creates the folder of a child's data, checks that all in it can be written, and removes permissions of other
// users that an earlier version left. The child's own errors would not name the cause.
func (k keptData) prepare() error {
	if err := datadir.Make(k.data()); err != nil {
		return err
	}
	if err := datadir.CheckTree(k.dir); err != nil {
		return err
	}
	return datadir.Tighten(k.dir, ".")
}
