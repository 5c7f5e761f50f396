package supervisetest

import (
	"context"
	"net"
	"strings"
	"testing"

	"edgelens/internal/testutil"

	"github.com/redis/go-redis/v9"
)

const (
	// clusterNodes is how many masters a Cluster has: the minimum of Redis.
	clusterNodes = 3
	// hashSlots is the number of hash slots, by the Cluster's specification
	// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
	hashSlots = 16384
)

// StartCluster starts a Redis Cluster of three masters without replicas, and returns when every one of them knows the
// slots of all.
func StartCluster(t testing.TB) *Redis {
	t.Helper()
	var servers []*Server
	var addresses []string
	for range clusterNodes {
		s := newServer(t, portOf, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
		s.Start()
		servers, addresses = append(servers, s), append(addresses, s.Address)
	}
	for i, s := range servers {
		first, next := i*hashSlots/clusterNodes, (i+1)*hashSlots/clusterNodes
		if err := s.Client.ClusterAddSlotsRange(context.Background(), first, next-1).Err(); err != nil {
			t.Fatalf("give a node its slots: %v", err)
		}
		host, port, err := net.SplitHostPort(s.Address)
		if err != nil {
			t.Fatal(err)
		}
		if err := servers[0].Client.ClusterMeet(context.Background(), host, port).Err(); err != nil {
			t.Fatalf("make the nodes known to one another: %v", err)
		}
	}
	for _, s := range servers {
		testutil.Eventually(t, "the Cluster is complete", func() bool {
			return strings.Contains(s.Client.ClusterInfo(context.Background()).Val(), "cluster_state:ok")
		})
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses})
	return newRedis(t, "redis-cluster://"+strings.Join(addresses, ","), client, servers...)
}
