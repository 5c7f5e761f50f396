package worker

import (
	"errors"
	"net/url"
	"strings"

	"github.com/hibiken/asynq"
)

// parseRedisURL understands asynq's URLs and one for Redis Cluster. The error
// never repeats the URL, which may hold a password.
func parseRedisURL(text string) (asynq.RedisConnOpt, error) {
	if path, socket := strings.CutPrefix(text, "unix://"); socket {
		text = "redis-socket://" + path
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, errRedisURL
	}
	user := parsed.User.Username()
	password, _ := parsed.User.Password()
	if parsed.Scheme == "redis-cluster" {
		if parsed.Host == "" {
			return nil, errors.New("must name hosts: redis-cluster://host:port,host:port")
		}
		return asynq.RedisClusterClientOpt{Addrs: strings.Split(parsed.Host, ","), Username: user, Password: password}, nil
	}
	option, err := asynq.ParseRedisURI(text)
	if err != nil {
		return nil, errRedisURL
	}
	// asynq leaves out the user, and gives a password to the Sentinels alone.
	switch o := option.(type) {
	case asynq.RedisClientOpt:
		o.Username = user
		return o, nil
	case asynq.RedisFailoverClientOpt:
		if o.MasterName == "" || parsed.Host == "" {
			return nil, errors.New("must name the Sentinels and the master that they watch: redis-sentinel://host:26379,host:26379?master=name")
		}
		o.Username, o.Password, o.SentinelUsername = user, password, user
		return o, nil
	}
	return option, nil
}

var errRedisURL = errors.New("must be a URL such as redis://host:6379/0, rediss://, redis-socket:///path, redis-sentinel://host:26379?master=name or redis-cluster://host:port,host:port")
