package worker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

// manyServers are the kinds of Redis with more than one server.
var manyServers = map[string]func(testing.TB) *supervisetest.Redis{
	"sentinel": supervisetest.StartSentinel,
	"cluster":  supervisetest.StartCluster,
}

// held is a recognizer whose work lasts until the function is called.
func held() (*recognizer, func()) {
	var free atomic.Bool
	return &recognizer{do: func(ctx context.Context, _ *edgelens.Request) error {
		for !free.Load() && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // the work itself
		}
		return nil
	}}, func() { free.Store(true) }
}

// A node's own worker runs its jobs through every kind of Redis, and Redis may lose all data.
func TestOwnWorkerOnManyServers(t *testing.T) {
	for name, start := range manyServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			work, free := held()
			s := newSystem(t, r, newMemory("job"), work)
			s.submit(20, edgelens.QueueInteractive)
			s.submit(20, edgelens.QueueBulk)
			testutil.Eventually(t, "two run", func() bool { return work.running.Load() >= 2 })
			r.FlushAll()
			free()
			s.allDone(40, edgelens.JobSucceeded)
		})
	}
}

// The same for a worker without a ledger, which gets the images through Redis.
func TestRemoteWorkerOnManyServers(t *testing.T) {
	for name, start := range manyServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			s := acceptOnly(t, r, newMemory("job"), time.Second)
			s.submit(20, edgelens.QueueInteractive)
			s.submit(20, edgelens.QueueBulk)
			var leased atomic.Int64
			startRemote(t, r.URL, &recognizer{do: func(context.Context, *edgelens.Request) error {
				if leased.Add(1) == 10 {
					r.FlushAll()
				}
				return nil
			}})
			s.allDone(40, edgelens.JobSucceeded)
			if left := r.Keys(images); len(left) != 0 {
				t.Errorf("images are left in Redis: %q", left)
			}
		})
	}
}

// The loss of data of one server of a Cluster is detected too, whether it has the tasks or other keys.
func TestOneClusterServerLosesData(t *testing.T) {
	t.Parallel()
	r := supervisetest.StartCluster(t)
	work, free := held()
	s := newSystem(t, r, newMemory("job"), work)
	s.submit(10, edgelens.QueueInteractive)
	s.submit(10, edgelens.QueueBulk)
	testutil.Eventually(t, "two run", func() bool { return work.running.Load() >= 2 })
	began := time.Now()
	for _, server := range r.Servers {
		if len(keysOf(t, server, "asynq:{interactive}:*")) == 0 {
			continue
		}
		if err := server.Client.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	free()
	s.allDone(20, edgelens.JobSucceeded)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the tasks were recreated after %v, want at once, not by the sweep each 30 s", took)
	}
}

func keysOf(t *testing.T, server *supervisetest.Server, pattern string) []string {
	t.Helper()
	keys, err := server.Client.Keys(context.Background(), pattern).Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// The server of a Cluster that has the tasks is killed and restarts with nothing but its slots.
func TestClusterServerIsKilled(t *testing.T) {
	t.Parallel()
	r := supervisetest.StartCluster(t)
	s := newSystem(t, r, newMemory("job"), &recognizer{do: func(context.Context, *edgelens.Request) error {
		time.Sleep(5 * time.Millisecond) // the work itself
		return nil
	}})
	startRemote(t, r.URL, &recognizer{})
	s.submit(50, edgelens.QueueInteractive)
	for _, server := range r.Servers {
		if len(keysOf(t, server, "asynq:{interactive}:*")) != 0 {
			server.Kill()
			s.submit(5, edgelens.QueueInteractive)
			server.Start()
		}
	}
	s.allDone(55, edgelens.JobSucceeded)
}

// A master that is killed is replaced by its replica, which may lack the last writes; every job is done, once.
func TestFailOver(t *testing.T) {
	t.Parallel()
	r := supervisetest.StartSentinel(t)
	work, free := held()
	s := newSystem(t, r, newMemory("job"), work)
	there, freeThere := held()
	startRemote(t, r.URL, there)
	s.submit(40, edgelens.QueueInteractive)
	testutil.Eventually(t, "two run on each node", func() bool { return work.running.Load() >= 2 && there.running.Load() >= 2 })
	r.FailOver()
	s.submit(5, edgelens.QueueInteractive)
	free()
	freeThere()
	s.allDone(45, edgelens.JobSucceeded)
}

// A Redis of any kind can require a password, or a user and a password.
func TestCredentials(t *testing.T) {
	single := func(t testing.TB) *supervisetest.Redis { return supervisetest.Start(t) }
	for name, test := range map[string]struct {
		start       func(testing.TB) *supervisetest.Redis
		credentials string
	}{
		"single, password":   {single, ":secret@"},
		"single, user":       {single, "edge:word@"},
		"sentinel, password": {supervisetest.StartSentinel, ":secret@"},
		"cluster, password":  {supervisetest.StartCluster, ":secret@"},
		"cluster, user":      {supervisetest.StartCluster, "edge:word@"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := test.start(t)
			for _, server := range r.Servers {
				ctx := context.Background()
				user := server.Client.Do(ctx, "ACL", "SETUSER", "edge", "on", ">word", "~*", "+@all").Err()
				_ = server.Client.Do(ctx, "ACL", "SETUSER", "edge", "&*") // Redis 6.0 has no ACL of channels
				password := server.Client.ConfigSet(ctx, "requirepass", "secret").Err()
				if user != nil || password != nil {
					t.Fatal(user, password)
				}
			}
			r.URL = strings.Replace(r.URL, "://", "://"+test.credentials, 1)
			s := newSystem(t, r, newMemory("job"), &recognizer{})
			s.submit(5, edgelens.QueueInteractive)
			s.allDone(5, edgelens.JobSucceeded)
		})
	}
}
