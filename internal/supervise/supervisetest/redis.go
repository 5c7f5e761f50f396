// Package supervisetest starts real servers for tests: a redis-server on a Unix socket, a group with a Sentinel or a
// Cluster of them, or a mosquitto. All of them end with the test. A test on a machine without the program is skipped.
package supervisetest

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Redis is the target of a redis.url: one server, or several that act as one. Its methods fail the test where Redis
// returns an error, and are for the test's own goroutine.
type Redis struct {
	// URL is what redis.url would be.
	URL string
	// Client is connected to it.
	Client redis.UniversalClient
	// Servers keep the data. Of a Sentinel group the first is the initial master, and the second its replica; of a
	// Cluster all are masters.
	Servers []*Server

	t testing.TB
}

// Start starts one server on a Unix socket, which is the first of Servers. The options are those of redis-server, such
// as "--appendonly", "yes"; without any it is not persistent.
func Start(t testing.TB, options ...string) *Redis {
	t.Helper()
	s := newServer(t, socketOf, options...)
	s.Start()
	return newRedis(t, "redis-socket://"+s.Address, s.Client, s)
}

func newRedis(t testing.TB, url string, client redis.UniversalClient, servers ...*Server) *Redis {
	t.Cleanup(func() { _ = client.Close() }) // a server's own client is closed twice
	return &Redis{URL: url, Client: client, Servers: servers, t: t}
}

// Keys returns the keys that match in every server that is up.
func (r *Redis) Keys(pattern string) []string {
	r.t.Helper()
	seen := map[string]bool{} // a replica has what its master has
	var keys []string
	for _, s := range r.Servers {
		if !s.running() {
			continue
		}
		scan := s.Client.Scan(context.Background(), 0, pattern, 1000).Iterator()
		for scan.Next(context.Background()) {
			if key := scan.Val(); !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
		if err := scan.Err(); err != nil {
			r.t.Errorf("list the keys of %s: %v", s.Address, err)
		}
	}
	return keys
}

// FlushAll empties every server that is up; replicas follow their masters.
func (r *Redis) FlushAll() {
	r.t.Helper()
	for _, s := range r.Servers {
		if !s.running() {
			continue
		}
		if err := s.Client.FlushAll(context.Background()).Err(); err != nil && !strings.HasPrefix(err.Error(), "READONLY") {
			r.t.Errorf("empty %s: %v", s.Address, err)
		}
	}
}
