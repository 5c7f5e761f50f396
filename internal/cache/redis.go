package cache

import (
	"errors"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
)

// errURL does not repeat the URL, which may hold a password.
var errURL = errors.New("share the result cache: the Redis URL is of a kind that the cache cannot use; set cache.shared to false")

// Connect returns a client for NewShared that keeps to its deadlines. text is redis://, rediss://, unix://,
// redis-socket://, redis-cluster://host,host or redis-sentinel://host,host?master=name; the host or path can be
// preceded by user:password@ or :password@, which a Sentinel must share with its servers. It connects on first use.
func Connect(text string) (redis.UniversalClient, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, errURL
	}
	user := parsed.User.Username()
	password, _ := parsed.User.Password()
	switch parsed.Scheme {
	case "redis-cluster":
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: strings.Split(parsed.Host, ","), Username: user, Password: password,
			MaxRetries: -1, ContextTimeoutEnabled: true, DialTimeout: sharedTimeout, PoolTimeout: sharedTimeout,
		}), nil
	case "redis-sentinel":
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: parsed.Query().Get("master"), SentinelAddrs: strings.Split(parsed.Host, ","),
			Username: user, Password: password, SentinelUsername: user, SentinelPassword: password,
			MaxRetries: -1, ContextTimeoutEnabled: true, DialTimeout: sharedTimeout, PoolTimeout: sharedTimeout,
		}), nil
	case "redis-socket":
		parsed.Scheme = "unix"
	}
	options, err := redis.ParseURL(parsed.String())
	if err != nil {
		return nil, errURL
	}
	options.MaxRetries, options.ContextTimeoutEnabled = -1, true
	options.DialTimeout, options.PoolTimeout = sharedTimeout, sharedTimeout
	return redis.NewClient(options), nil
}
