package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"edgelens"
)

// Redis is a private redis-server child. It listens on a Unix socket that only this user can access, and on no port.
type Redis struct {
	*Process
	socket string
}

// StartRedis starts a redis-server with its data below dir, which is created if missing, and returns when it answers;
// ctx bounds that only. The caller must Stop it. config must be valid.
//
// A redis-server that does not answer for config.Silence is killed and restarted. Its data survives its end and ours.
// Where it does not start because of its data, that is set aside and it starts empty: Redis must hold nothing that
// cannot be recreated.
//
// The error wraps ErrNotFound where there is no redis-server, else one of those
// of Process.Start, ErrDiskFull, ErrStorage or ErrInvalid.
func StartRedis(ctx context.Context, dir string, config RedisConfig, log *slog.Logger) (*Redis, error) {
	program, err := FindRedis()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("start redis-server: %w: %w", edgelens.ErrInvalid, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start redis-server: %w", cannotWrite(err))
	}
	files := &redisFiles{keptData: keptData{dir: dir, of: "redis-server"}}
	process := New(Spec{
		Name:    "redis-server",
		Path:    program,
		Args:    []string{files.config()},
		Env:     []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")},
		Dir:     dir,
		Prepare: func() (func(), error) { return files.prepare(config) },
		Ready:   func(ctx context.Context) error { return redisReady(ctx, files.socket) },
		Alive:   func(ctx context.Context) error { return redisAlive(ctx, files.socket) },
		Silence: config.Silence,
		Recover: func(d ExitError) bool { return dataDamaged(d) && files.setDataAside(d, log) },
		Log:     log,
	})
	if err := process.Start(ctx); err != nil {
		return nil, err
	}
	return &Redis{Process: process, socket: files.socket}, nil
}

// Socket returns the path of the socket, which stays the same until Stop.
func (r *Redis) Socket() string { return r.socket }

// URL returns "unix:///path", as go-redis' ParseURL accepts it.
func (r *Redis) URL() string { return (&url.URL{Scheme: "unix", Path: r.socket}).String() }

// FindRedis returns the path of redis-server, which must be run under that name (argv[0]); the error wraps ErrNotFound.
// Debian installs the program itself in redis-tools, as redis-check-rdb: it is the same, and selects by argv[0]. The
// package redis-server adds a system service, which is not needed.
func FindRedis() (string, error) {
	for _, name := range []string{"redis-server", "redis-check-rdb"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("start redis-server: %w: there is no redis-server on PATH; install it with `apt install redis-server` (or redis-tools, which has it without a service for the whole system), or set redis.url to one that runs elsewhere", edgelens.ErrNotFound)
}

// notTheData are words in Redis' last lines that exclude its data as the cause.
var notTheData = []string{
	"FATAL CONFIG FILE ERROR", "No space left", "Permission denied", "Operation not permitted", "Read-only file system",
	"Disk quota exceeded", "Input/output error", "Too many open files", "Cannot allocate memory", "Out Of Memory",
}

// dataDamaged reports whether Redis refused to start, or crashed, because of its data: the remaining cause once it has
// read its configuration.
func dataDamaged(d ExitError) bool {
	output := strings.Join(d.Lines, "\n")
	for _, words := range notTheData {
		if strings.Contains(output, words) {
			return false
		}
	}
	return d.Crashed || d.Status == "exit status 1" && strings.Contains(output, "Server initialized")
}
