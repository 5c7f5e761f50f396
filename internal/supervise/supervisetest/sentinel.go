package supervisetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/testutil"

	"github.com/redis/go-redis/v9"
)

// masterName is the name of the master in a Sentinel group.
const masterName = "edgelens"

// StartSentinel starts a master, its replica and one Sentinel, which promotes
// the replica some seconds after the master is gone. URL names the Sentinel.
func StartSentinel(t testing.TB) *Redis {
	t.Helper()
	// Diskless replication waits for further replicas before it begins, and a second for an acknowledgment: writes in
	// between would be lost with the master.
	const diskless = "--repl-diskless-sync"
	master := newServer(t, portOf, diskless, "no")
	master.Start()
	host, port, err := net.SplitHostPort(master.Address)
	if err != nil {
		t.Fatal(err)
	}
	replica := newServer(t, portOf, diskless, "no", "--replicaof", host+" "+port)
	replica.Start()
	testutil.Eventually(t, "the replica follows the master", func() bool {
		return strings.Contains(replica.Client.Info(context.Background(), "replication").Val(), "master_link_status:up")
	})

	sentinel := newServer(t, func(t testing.TB, dir string) (string, []string) {
		address, _ := portOf(t, dir)
		_, own, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		config := filepath.Join(dir, "sentinel.conf")
		text := fmt.Sprintf(`bind 127.0.0.1
port %[1]s
sentinel monitor %[2]s %[3]s %[4]s 1
sentinel down-after-milliseconds %[2]s 500
sentinel failover-timeout %[2]s 3000
`, own, masterName, host, port)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return address, []string{config, "--sentinel"}
	})
	sentinel.Start()
	asked := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Address})
	t.Cleanup(func() { _ = asked.Close() })
	testutil.Eventually(t, "the Sentinel knows the replica", func() bool {
		return len(asked.Replicas(context.Background(), masterName).Val()) == 1
	})
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: masterName, SentinelAddrs: []string{sentinel.Address}})
	return newRedis(t, fmt.Sprintf("redis-sentinel://%s?master=%s", sentinel.Address, masterName), client, master, replica)
}

// FailOver kills the master of a Sentinel group and returns when its replica
// has become the master.
func (r *Redis) FailOver() {
	r.t.Helper()
	r.Servers[0].Kill()
	testutil.Eventually(r.t, "the replica is promoted", func() bool {
		return strings.Contains(r.Servers[1].Client.Info(context.Background(), "replication").Val(), "role:master")
	})
}
