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
	// Err says why it does not, and what to do; nil where it does.
	Err error
	// Lasting: it will not until somebody changes it, or redis.url. Else it may
	// come back by itself.
	Lasting bool
	// Warning is a sentence about a Redis that serves but may lose tasks, or does
	// not say enough; empty where there is none.
	Warning string
}

// oldestRedis is the major version of Redis from which on jobs are dispatched
// through it.
const oldestRedis = 5

// What stands in the way of dispatching jobs, in words for the operator.
var (
	errNoScripts = errors.New("this Redis or its ACL does not let scripts run (the commands EVAL and EVALSHA), " +
		"without which no job can be dispatched: allow them, or leave redis.url out for a private Redis")
	errTooOld = errors.New("the version of Redis is too old")
)

// problem is an error of Redis in words for the operator; the cause has those of
// Redis.
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

// facts is what a server says of itself.
type facts struct{ version, policy string }

// checkServers asks every server for its version and for what it does when its
// memory is full. The warning is for one that serves all the same.
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
		return "Redis does not let this user ask for its version and for what it does when its memory is full (INFO); see to it that maxmemory-policy is noeviction", nil
	case err != nil:
		return "", err
	}
	for _, f := range all {
		if major, ok := majorOf(f.version); ok && major < oldestRedis {
			return "", &problem{fmt.Sprintf("Redis %s is too old: use %d.0 or later, or leave redis.url out for a private Redis", f.version, oldestRedis), errTooOld, true}
		} else if !ok {
			warning = "Redis does not say its version"
		}
		if f.policy != "" && f.policy != "noeviction" {
			warning = fmt.Sprintf("Redis evicts keys when its memory is full (maxmemory-policy is %s), and with them jobs that wait: set it to noeviction", f.policy)
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

// readFacts reads the answer to INFO: lines of "name:value".
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

// statusOf asks Redis once whether it serves.
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

// causeOf returns an error in the words of Redis.
func causeOf(err error) error {
	var known *problem
	if errors.As(err, &known) {
		return known.cause
	}
	return err
}
