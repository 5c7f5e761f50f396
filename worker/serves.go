package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// RedisStatus is whether Redis serves.
type RedisStatus struct {
	// Err is the reason why it does not, with advice; nil where it does.
	Err error
	// Lasting: an operator must change Redis or redis.url first. Otherwise it may recover by itself.
	Lasting bool
	// Warning is a sentence about a Redis that serves but may lose tasks, or whose configuration is unknown; empty
	// where there is none.
	Warning string
}

// oldestRedis is the first major version of Redis that can dispatch jobs.
const oldestRedis = 5

// Errors for the operator: why Redis cannot dispatch jobs.
var (
	errNoScripts = errors.New("this Redis or its ACL refuses scripts (the commands EVAL and EVALSHA), " +
		"without which no job can be dispatched: allow them, or leave redis.url out for a private Redis")
	errTooOld = errors.New("the version of Redis is too old")
)

// problem is an error with advice for the operator; the cause is Redis' error.
type problem struct {
	advice  string
	cause   error
	lasting bool
}

func (p *problem) Error() string { return p.advice }
func (p *problem) Unwrap() error { return p.cause }

// runsScript is what asynq needs: scripts, and the keys of its queues.
var runsScript = redis.NewScript(`return redis.call("DEL", KEYS[1])`)

// checkScripts runs a script that changes nothing on the server of each queue.
func checkScripts(ctx context.Context, client redis.UniversalClient) error {
	for _, queue := range queues {
		err := runsScript.Run(ctx, client, []string{"asynq:{" + queue + "}:edgelens:nothing"}).Err()
		text := ""
		if err != nil {
			text = strings.ToLower(err.Error())
		}
		switch {
		case err == nil:
		case strings.Contains(text, "user executing the script"):
			return &problem{noPermission, err, true}
		case strings.Contains(text, "unknown command"), strings.Contains(text, "noperm") && strings.Contains(text, "eval"),
			strings.Contains(text, "not allowed") && strings.Contains(text, "eval"), strings.Contains(text, "script") && redis.HasErrorPrefix(err, "ERR"):
			return &problem{errNoScripts.Error(), err, true}
		default:
			return err
		}
	}
	return nil
}

// facts is what a server reports in INFO.
type facts struct{ version, policy string }

// checkServers asks every server for its version and its eviction policy. The warning is about one that serves all the
// same.
func checkServers(ctx context.Context, client redis.UniversalClient) (warning string, err error) {
	var all []facts
	ask := func(ctx context.Context, server redis.Cmdable) error {
		text, err := server.Info(ctx).Result()
		if err == nil {
			all = append(all, readFacts(text))
		}
		return err
	}
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err = eachMaster(ctx, cluster, ask)
	} else {
		err = ask(ctx, client)
	}
	var refusal redis.Error
	switch {
	case errors.As(err, &refusal):
		return "the Redis user may not run INFO, so version and eviction policy are unknown; make sure that maxmemory-policy is noeviction", nil
	case err != nil:
		return "", err
	}
	for _, f := range all {
		if major, ok := majorOf(f.version); ok && major < oldestRedis {
			return "", &problem{fmt.Sprintf("Redis %s is too old: use %d.0 or later, or leave redis.url out for a private Redis", f.version, oldestRedis), errTooOld, true}
		} else if !ok {
			warning = "Redis does not report its version"
		}
		if f.policy != "" && f.policy != "noeviction" {
			warning = fmt.Sprintf("Redis evicts keys when its memory is full (maxmemory-policy is %s), including queued jobs: set it to noeviction", f.policy)
		}
	}
	return warning, nil
}

// eachMaster calls ask for the masters of a Cluster, one after the other.
func eachMaster(ctx context.Context, cluster *redis.ClusterClient, ask func(context.Context, redis.Cmdable) error) error {
	answers := make(chan struct{}, 1) // ForEachMaster asks all at once
	answers <- struct{}{}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, server *redis.Client) error {
		<-answers
		defer func() { answers <- struct{}{} }()
		return ask(ctx, server)
	})
}

// readFacts parses the answer to INFO: lines of "name:value".
func readFacts(info string) (f facts) {
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "redis_version":
			f.version = value
		case "maxmemory_policy":
			f.policy = value
		}
	}
	return f
}

func majorOf(version string) (int, bool) {
	text, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(text)
	return major, err == nil
}

// statusOf checks once whether Redis serves.
func statusOf(ctx context.Context, client redis.UniversalClient) RedisStatus {
	warning := ""
	err := reach(ctx, client)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, reachTimeout)
		defer cancel()
		if err = checkScripts(ctx, client); err == nil {
			warning, err = checkServers(ctx, client)
		}
	}
	if err == nil {
		return RedisStatus{Warning: warning}
	}
	advice, lasting := adviceOn(err)
	return RedisStatus{Err: &problem{advice, causeOf(err), lasting}, Lasting: lasting}
}

// causeOf returns Redis' own error.
func causeOf(err error) error {
	var known *problem
	if errors.As(err, &known) {
		return known.cause
	}
	return err
}
