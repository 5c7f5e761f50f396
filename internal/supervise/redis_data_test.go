package supervise_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

// TestRedisStartsEmptyWithDamagedData damages the data of Redis, as a failing disk or a power cut may.
func TestRedisStartsEmptyWithDamagedData(t *testing.T) {
	supervisetest.FindRedis(t)
	for name, pattern := range map[string]string{
		"log of commands": "*.aof",
		"base":            "*.rdb",
		"manifest":        "*.manifest",
	} {
		t.Run(name, func(t *testing.T) {
			dir := testutil.ShortDir(t)
			first := startRedis(t, dir)
			mustAsk(t, first.Socket(), "+OK", "SET", "kept", "yes")
			if err := first.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !breakFiles(t, filepath.Join(dir, "data"), pattern) {
				t.Skip("this Redis has no such file: it keeps all in one")
			}
			var log testutil.LogBuffer
			second := startRedisWith(t, dir, &log)
			mustAsk(t, second.Socket(), "$-1", "GET", "kept")
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "data.unreadable") {
				t.Errorf("the log lacks the path of the data:\n%s", &log)
			}
			if second.Restarts() != 0 || !breakFiles(t, filepath.Join(dir, "data.unreadable"), pattern) {
				t.Errorf("restarts %d, or the broken data was not kept", second.Restarts())
			}
			// It works from then on, also after another start.
			mustAsk(t, second.Socket(), "+OK", "SET", "kept", "again")
			breakFiles(t, filepath.Join(dir, "data"), pattern)
			kill(t, second.PID())
			until(t, second.Process, "Redis is up again", func() bool { return second.Up() && second.Restarts() == 1 })
			mustAsk(t, second.Socket(), "$-1", "GET", "kept")
		})
	}
}

// breakFiles overwrites the files below dir that match, and reports whether
// there were any.
func breakFiles(t *testing.T, dir, pattern string) bool {
	t.Helper()
	found := false
	for _, depth := range []string{"", "*"} {
		names, err := filepath.Glob(filepath.Join(dir, depth, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			found = true
			if err := os.WriteFile(name, []byte("*3\r\n$3\r\nSET\r\nnonsense and more nonsense\r\n\x00\x00\x00"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

func TestRedisRecoversFromTornWrite(t *testing.T) {
	supervisetest.FindRedis(t)
	dir := testutil.ShortDir(t)
	first := startRedis(t, dir)
	mustAsk(t, first.Socket(), "+OK", "SET", "kept", "yes")
	mustAsk(t, first.Socket(), "+OK", "SET", "torn", "yes")
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, depth := range []string{"", "*"} {
		names, _ := filepath.Glob(filepath.Join(dir, "data", depth, "*.aof"))
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(name, info.Size()-5); err != nil {
				t.Fatal(err)
			}
		}
	}
	second := startRedis(t, dir)
	mustAsk(t, second.Socket(), "yes", "GET", "kept")
	mustAsk(t, second.Socket(), "$-1", "GET", "torn")
}

// TestDataDamagedExcludesOtherErrors has programs that exit like Redis.
func TestDataDamagedExcludesOtherErrors(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		blamed bool
	}{
		"broken data":          {"echo '# Server initialized'; echo '# Bad file format reading the append only file'; exit 1", true},
		"data that crashes it": {"kill -SEGV $$", true},
		"a bad configuration":  {"echo '*** FATAL CONFIG FILE ERROR ***'; exit 1", false},
		"a full disk":          {"echo '# Server initialized'; echo '# Error writing the AOF: No space left on device'; exit 1", false},
		"a read-only disk":     {"echo '# Server initialized'; echo '# Failed opening the AOF: Read-only file system'; exit 1", false},
		"killed":               {"echo '# Server initialized'; kill -KILL $$", false},
		"it cannot be loaded":  {"exit 127", false},
	} {
		t.Run(name, func(t *testing.T) {
			bin, dir := testutil.ShortDir(t), testutil.ShortDir(t)
			if err := os.WriteFile(filepath.Join(bin, "redis-server"), []byte("#!/bin/sh\n"+test.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin)
			kept := filepath.Join(dir, "data", "appendonly.aof")
			if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(kept, []byte("tasks"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := supervise.StartRedis(within(t, 30*time.Second), dir, supervise.DefaultRedisConfig(), quiet); !errors.Is(err, edgelens.ErrStopping) {
				t.Errorf("%v, want ErrStopping", err)
			}
			if _, err := os.Stat(kept); (err != nil) != test.blamed {
				t.Errorf("the data: %v, want it set aside: %v", err, test.blamed)
			}
			if _, err := os.Stat(filepath.Join(dir, "data.unreadable", "appendonly.aof")); (err == nil) != test.blamed {
				t.Errorf("data.unreadable: %v, want it there: %v", err, test.blamed)
			}
		})
	}
}
