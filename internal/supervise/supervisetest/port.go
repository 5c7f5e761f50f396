package supervisetest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// busOffset is the offset from a Cluster node's port to that of its bus; it is configurable only from Redis 7.0 on.
const busOffset = 10_000

// given are the ports that this process has allocated.
var given struct {
	sync.Mutex
	ports map[int]bool
}

// freePort returns a port of 127.0.0.1 that is free, as is that of its bus. Both are below those that Linux gives to
// outgoing connections (32768 and more), so that none of these takes one while its server is down.
func freePort(t testing.TB) string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for range 1000 {
		port := 12_000 + rand.N(10_000)
		if given.ports[port] || !free(port) || !free(port+busOffset) {
			continue
		}
		given.ports[port] = true
		return strconv.Itoa(port)
	}
	t.Fatal("there is no free port on 127.0.0.1")
	return ""
}

func free(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && listener.Close() == nil
}
