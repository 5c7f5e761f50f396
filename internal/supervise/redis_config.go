package supervise

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// RedisConfig bounds a private Redis.
type RedisConfig struct {
	// MaxMemoryBytes is the memory limit over which Redis refuses writes.
	MaxMemoryBytes int64
	// Silence is for how long Redis may not answer before it counts as hung, is killed and restarted. While loading or
	// busy, it answers so.
	Silence time.Duration
}

// DefaultRedisConfig gives Redis 128 MiB, room for more than 100,000 jobs, and
// 10 seconds to answer.
func DefaultRedisConfig() RedisConfig {
	return RedisConfig{MaxMemoryBytes: 128 << 20, Silence: 10 * time.Second}
}

// Validate reports all errors at once, each with its setting's name.
func (c RedisConfig) Validate() error {
	var errs []error
	if c.MaxMemoryBytes < 16<<20 || c.MaxMemoryBytes > 1<<40 {
		errs = append(errs, fmt.Errorf("max_memory_bytes must be %d to %d, not %d", 16<<20, int64(1)<<40, c.MaxMemoryBytes))
	}
	if c.Silence < 500*time.Millisecond || c.Silence > time.Hour {
		errs = append(errs, fmt.Errorf("silence must be 500ms to 1h, not %v", c.Silence))
	}
	return errors.Join(errs...)
}

// writeConfig writes redis.conf, for Redis 6.0 and later, at each start;
// https://redis.io/docs/latest/operate/oss_and_stack/management/config/ is the reference.
func (f *redisFiles) writeConfig(config RedisConfig) error {
	text := fmt.Sprintf(`# Written by edgelens at each start; changes are lost.

# One socket, for this user alone, and no port.
port 0
unixsocket %s
unixsocketperm 600

# A child with its log on standard output.
daemonize no
supervised no
logfile ""
loglevel notice
always-show-logo no

# The data survives: every command is in the file before its answer is sent,
# and on the disk within a second. A file that a power cut truncated is valid up
# to there.
dir %s
appendonly yes
appendfsync everysec
hz 2
aof-load-truncated yes
save ""

# Writes to a full Redis fail: evicting would lose tasks silently.
maxmemory %d
maxmemory-policy noeviction
`, quoteRedis(f.socket), quoteRedis(f.data()), config.MaxMemoryBytes)
	return os.WriteFile(f.config(), []byte(text), 0o600)
}

// quoteRedis quotes an argument of redis.conf, as sdssplitargs of Redis' sds.c parses it.
func quoteRedis(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
