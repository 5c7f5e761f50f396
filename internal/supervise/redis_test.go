package supervise_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

// startRedis starts a Redis that is stopped with the test.
func startRedis(t *testing.T, dir string) *supervise.Redis {
	t.Helper()
	return startRedisWith(t, dir, &testutil.LogBuffer{})
}

func startRedisWith(t *testing.T, dir string, log *testutil.LogBuffer) *supervise.Redis {
	t.Helper()
	r, err := supervise.StartRedis(within(t, 30*time.Second), dir, supervise.DefaultRedisConfig(), log.Logger())
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	stopAfter(t, r)
	return r
}

// ask sends one command and returns the answer's text: of a bulk string, the content, of an array, its last element, of
// all others, the line.
func ask(socket string, words ...string) (string, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	command := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		command += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(conn, command); err != nil {
		return "", err
	}
	return readAnswer(bufio.NewReader(conn))
}

func readAnswer(reader *bufio.Reader) (string, error) {
	line, err := reader.ReadString('\n')
	line = strings.TrimSpace(line)
	if err != nil || line == "$-1" {
		return line, err
	}
	switch line[:1] {
	case "$":
		length, err := strconv.Atoi(line[1:])
		if err != nil {
			return "", err
		}
		text := make([]byte, length+len("\r\n"))
		_, err = io.ReadFull(reader, text)
		return string(text[:length]), err
	case "*":
		count, err := strconv.Atoi(line[1:])
		var last string
		for ; err == nil && count > 0; count-- {
			last, err = readAnswer(reader)
		}
		return last, err
	}
	return line, nil
}

func mustAsk(t testing.TB, socket, want string, words ...string) {
	t.Helper()
	if got, err := ask(socket, words...); err != nil || got != want {
		t.Fatalf("%v: %q, %v; want %q", words, got, err, want)
	}
}

// setting returns the answer to CONFIG GET.
func setting(t *testing.T, socket, name string) string {
	t.Helper()
	text, err := ask(socket, "CONFIG", "GET", name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRedisReadyAndAlive(t *testing.T) {
	supervisetest.FindRedis(t)
	dir := filepath.Join(testutil.ShortDir(t), "da ta", `re"d\is-ü`) // needs quoting
	r := startRedis(t, dir)
	mustAsk(t, r.Socket(), "+PONG", "PING")
	for name, want := range map[string]string{
		"port": "0", "appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory": "134217728",
		"maxmemory-policy": "noeviction", "aof-load-truncated": "yes", "dir": filepath.Join(dir, "data"),
	} {
		if got := setting(t, r.Socket(), name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	parsed, err := url.Parse(r.URL())
	if err != nil || parsed.Scheme != "unix" || parsed.Path != r.Socket() || parsed.Host != "" {
		t.Errorf("URL %q is %+v, %v", r.URL(), parsed, err)
	}
	for name, mode := range map[string]os.FileMode{r.Socket(): 0o600 | os.ModeSocket, dir: 0o700 | os.ModeDir, filepath.Join(dir, "redis.conf"): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode() != mode {
			t.Errorf("%s: mode %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
}

func TestRedisKeepsItsDataWhenKilled(t *testing.T) {
	supervisetest.FindRedis(t)
	r := startRedis(t, testutil.ShortDir(t))
	socket := r.Socket()
	for want := 1; want <= 3; want++ {
		mustAsk(t, socket, fmt.Sprintf(":%d", want), "INCR", "starts")
		kill(t, r.PID())
		until(t, r.Process, "Redis is up again", func() bool { return r.Up() && r.Restarts() == want })
		mustAsk(t, socket, strconv.Itoa(want), "GET", "starts")
	}
	if r.Socket() != socket {
		t.Errorf("the socket moved from %s to %s", socket, r.Socket())
	}
}

func TestRedisStopKeepsData(t *testing.T) {
	supervisetest.FindRedis(t)
	dir := testutil.ShortDir(t)
	r := startRedis(t, dir)
	mustAsk(t, r.Socket(), "+OK", "SET", "kept", "yes")
	pid := r.PID()
	for range 2 {
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if alive(pid) {
		t.Errorf("process %d is still there", pid)
	}
	if _, err := os.Stat(r.Socket()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	again := startRedis(t, dir)
	mustAsk(t, again.Socket(), "yes", "GET", "kept")
}

func TestRedisSocketWithLongPath(t *testing.T) {
	supervisetest.FindRedis(t)
	runtimeDir := testutil.ShortDir(t)
	for name, environ := range map[string]map[string]string{
		"runtime folder":               {"XDG_RUNTIME_DIR": runtimeDir},
		"no runtime folder":            {"XDG_RUNTIME_DIR": "", "TMPDIR": runtimeDir},
		"runtime folder is not there":  {"XDG_RUNTIME_DIR": "/nonesuch", "TMPDIR": runtimeDir},
		"runtime folder is not a path": {"XDG_RUNTIME_DIR": "here", "TMPDIR": runtimeDir},
		"every folder is long":         {"XDG_RUNTIME_DIR": "/tmp/" + strings.Repeat("x", 100), "TMPDIR": "/tmp/" + strings.Repeat("y", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range environ {
				t.Setenv(key, value)
			}
			dir := filepath.Join(testutil.ShortDir(t), strings.Repeat("long/", 30))
			r := startRedis(t, dir)
			mustAsk(t, r.Socket(), "+PONG", "PING")
			folder := filepath.Dir(r.Socket())
			if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("folder of the socket: %v, %v; want mode 0700", info, err)
			}
			if want := runtimeDir; !strings.HasPrefix(folder, want) && name != "every folder is long" {
				t.Errorf("the socket lies in %s, want it below %s", folder, want)
			}
			if err := r.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket's folder was left: %v", err)
			}
		})
	}
}

func TestRedisCannotStart(t *testing.T) {
	tests := map[string]struct {
		path  string // PATH; "" leaves it
		dir   func(t testing.TB) string
		want  error
		words []string
	}{
		"no program": {"/nonesuch", testutil.ShortDir, edgelens.ErrNotFound, []string{"apt install redis-server", "redis.url"}},
		"a file for a folder": {"", func(t testing.TB) string {
			name := filepath.Join(testutil.ShortDir(t), "file")
			if err := os.WriteFile(name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return name
		}, edgelens.ErrStorage, []string{"data_dir"}},
		"a folder for the configuration": {"", func(t testing.TB) string {
			dir := testutil.ShortDir(t)
			if err := os.Mkdir(filepath.Join(dir, "redis.conf"), 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		}, edgelens.ErrStorage, []string{"redis.conf"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			supervisetest.FindRedis(t)
			if test.path != "" {
				t.Setenv("PATH", test.path)
			}
			_, err := supervise.StartRedis(within(t, 30*time.Second), test.dir(t), supervise.DefaultRedisConfig(), quiet)
			if !errors.Is(err, test.want) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			for _, word := range test.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v\nwant it to contain %q", err, word)
				}
			}
		})
	}
}

func TestRedisFolderIsExclusive(t *testing.T) {
	supervisetest.FindRedis(t)
	dir := filepath.Join(testutil.ShortDir(t), strings.Repeat("long/", 30)) // with a socket elsewhere
	first := startRedis(t, dir)
	if _, err := supervise.StartRedis(within(t, 30*time.Second), dir, supervise.DefaultRedisConfig(), quiet); !errors.Is(err, edgelens.ErrConflict) {
		t.Errorf("the second: %v, want ErrConflict", err)
	}
	mustAsk(t, first.Socket(), "+PONG", "PING")
	if first.Restarts() != 0 {
		t.Errorf("the first was started again %d times", first.Restarts())
	}
}

func TestRedisConfigValidate(t *testing.T) {
	for name, test := range map[string]struct {
		bytes int64
		valid bool
	}{
		"default": {supervise.DefaultRedisConfig().MaxMemoryBytes, true},
		"least":   {16 << 20, true},
		"less":    {16<<20 - 1, false},
		"none":    {0, false},
		"most":    {1 << 40, true},
		"more":    {1<<40 + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			config := supervise.DefaultRedisConfig()
			config.MaxMemoryBytes = test.bytes
			err := config.Validate()
			if (err == nil) != test.valid || err != nil && !strings.Contains(err.Error(), "max_memory_bytes must") {
				t.Errorf("%d: %v, want valid: %v", test.bytes, err, test.valid)
			}
		})
	}
}

// redisParent is a service with a private Redis, for TestRedisEndsWithParent.
func redisParent() {
	r, err := supervise.StartRedis(context.Background(), os.Getenv("EDGELENS_TEST_DIR"), supervise.DefaultRedisConfig(), quietLog())
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(r.PID(), r.Socket())
	forever()
}

func TestRedisEndsWithParent(t *testing.T) {
	supervisetest.FindRedis(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("long/", 30) // with a socket elsewhere
	for name, test := range map[string]struct {
		below  string
		signal syscall.Signal
	}{
		"killed":                        {"", syscall.SIGKILL},
		"crashed":                       {"", syscall.SIGSEGV},
		"killed, with a socket outside": {long, syscall.SIGKILL},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(testutil.ShortDir(t), test.below)
			temp := testutil.ShortDir(t)
			t.Setenv("XDG_RUNTIME_DIR", temp)
			parent := exec.Command(self)
			parent.Env = append(os.Environ(), roleVariable+"=redis parent", "EDGELENS_TEST_DIR="+dir)
			output, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = parent.Process.Kill(); _ = parent.Wait() })
			var pid int
			var socket string
			if _, err := fmt.Fscan(output, &pid, &socket); err != nil {
				t.Fatalf("the parent did not start its Redis: %v", err)
			}
			mustAsk(t, socket, "+OK", "SET", "kept", "yes")
			if err := parent.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			testutil.Eventually(t, "Redis ended with its parent", func() bool { return !alive(pid) })
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("Redis outlived its parent by %v", took)
			}
			again := startRedis(t, dir)
			mustAsk(t, again.Socket(), "yes", "GET", "kept")
			if err := again.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
				t.Errorf("folders of sockets were left: %v, %v", left, err)
			}
		})
	}
}
