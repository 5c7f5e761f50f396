package cache

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Connect returns a client for NewShared that keeps to its deadlines. url is
// redis://, rediss://, unix://, redis-socket:// or redis-cluster://host,host;
// connections are made when they are needed.
func Connect(url string) (redis.UniversalClient, error) {
	if hosts, cluster := strings.CutPrefix(url, "redis-cluster://"); cluster {
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: strings.Split(strings.TrimSuffix(hosts, "/"), ","), MaxRetries: -1, ContextTimeoutEnabled: true,
			DialTimeout: sharedPatience, PoolTimeout: sharedPatience,
		}), nil
	}
	if path, socket := strings.CutPrefix(url, "redis-socket://"); socket {
		url = "unix://" + path
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		// Not err itself, which may repeat a password.
		return nil, errors.New("share the result cache: the Redis URL is of a kind that the cache cannot use; set cache.shared to false")
	}
	options.MaxRetries, options.ContextTimeoutEnabled = -1, true
	options.DialTimeout, options.PoolTimeout = sharedPatience, sharedPatience
	return redis.NewClient(options), nil
}
