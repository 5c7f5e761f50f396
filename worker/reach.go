package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"edgelens"
)

const (
	// servedInterval is how often Redis is checked while it serves a worker, unservedInterval while it does not.
	servedInterval   = 5 * time.Second
	unservedInterval = time.Second
	// reachTimeout bounds one check.
	reachTimeout = 2 * time.Second
)

// WatchRedis checks periodically whether Redis serves this Worker, until ctx ends. It logs one line when Redis stops
// serving, with advice, and one when it serves again, and calls report at first and after every change.
func (w *Worker) WatchRedis(ctx context.Context, report func(RedisStatus)) {
	status := availability{log: w.log, lost: "Redis unavailable; this worker takes no jobs", back: "Redis available again; this worker takes jobs"}
	watchRedis(ctx, w.redis, &status, nil, report)
}

// watchRedis checks whether Redis serves until ctx ends, and at once when doubt has a token; it logs and reports the
// changes.
func watchRedis(ctx context.Context, client redis.UniversalClient, log *availability, doubt <-chan struct{}, report func(RedisStatus)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	first, before := true, ""
	for {
		select {
		case <-timer.C:
		case <-doubt:
		case <-ctx.Done():
			return
		}
		status := statusOf(ctx, client)
		if ctx.Err() != nil {
			return
		}
		now, next := status.Warning, servedInterval
		if status.Err != nil {
			// The advice identifies the cause; the error can have another port each time.
			now, _ = adviceOn(status.Err)
			next = unservedInterval
			log.down(now, causeOf(status.Err))
		} else {
			log.up()
			log.warn(status.Warning)
		}
		if first || now != before {
			report(status)
		}
		first, before = false, now
		timer.Reset(next)
	}
}

// reachKeys are looked up in Redis: one in the hash slot of each queue, and some whose slots are spread over the
// servers of a Cluster, as those of answers and images are.
var reachKeys = []string{
	"edgelens:{" + queueDevice + "}:nothing", "edgelens:{" + edgelens.QueueInteractive + "}:nothing", "edgelens:{" + edgelens.QueueBulk + "}:nothing",
	"edgelens:nothing:1", "edgelens:nothing:2", "edgelens:nothing:3", "edgelens:nothing:4", "edgelens:nothing:5", "edgelens:nothing:6",
}

// reach checks Redis once, by a command that changes nothing and is refused wherever writing is: a replica would answer
// PING, and one server of a Cluster would answer it for all.
func reach(ctx context.Context, client redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range reachKeys {
			p.Del(ctx, key)
		}
		return nil
	})
	return err
}

const noPermission = "the Redis user lacks permissions; allow it all commands and channels, and the keys asynq:* and edgelens:*"

// causes are substrings of go-redis' and Redis' errors, the advice, and whether the error lasts until an operator acts;
// the first match counts. The last, an empty one, matches all other errors.
var causes = []struct {
	words, advice string
	lasting       bool
}{
	{"WRONGPASS", "Redis refuses the user or the password in redis.url; correct it (redis://user:password@host, or :password@ without a user)", true},
	{"invalid password", "Redis refuses the password in redis.url; correct it", true},
	{"without any password configured", "Redis has no password, but redis.url gives one; leave it out", true},
	{"NOAUTH", "Redis requires a password; put it into redis.url (redis://user:password@host, or :password@ without a user)", true},
	{"NOPERM", noPermission, true},
	{"all sentinels specified", "no Sentinel in redis.url is reachable and knows the master; check their host:port and the name after ?master=", false},
	{"MOVED", "this Redis is part of a Cluster; use redis-cluster://host:port,host:port as redis.url", true},
	{"cluster support disabled", "this Redis is no Cluster; use redis://host:port as redis.url", true},
	{"CLUSTERDOWN", "the Redis Cluster is incomplete; restart its other servers", false},
	{"READONLY", "this Redis is a replica; give its master, or the Sentinels, as redis.url", false},
	{"unknown command", "the server at redis.url is not a Redis data server; for a Sentinel use redis-sentinel://host:port?master=name", true},
	{"LOADING", "Redis is loading its data; wait", false},
	{"MISCONF", "Redis cannot write to its disk; make room there", false},
	{"DB index is out of range", "Redis has no database of that number; correct the end of redis.url", true},
	{"no such host", "the host in redis.url has no address; correct its name", false},
	{"tls:", "the TLS connection to Redis failed; check rediss:// and the certificate", true},
	{"", "Redis cannot be reached; check that it runs and that redis.url has its host and port", false},
}

// adviceOn returns what to do about an error of Redis, and whether it lasts until an operator acts.
func adviceOn(err error) (advice string, lasting bool) {
	var known *problem
	if errors.As(err, &known) {
		return known.advice, known.lasting
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "" // a timeout has no cause of its own
	}
	for _, cause := range causes {
		if strings.Contains(text, cause.words) {
			return cause.advice, cause.lasting
		}
	}
	return "", false
}
