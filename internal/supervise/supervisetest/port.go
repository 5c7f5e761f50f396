package supervisetest

import (
	"net"
	"strconv"
	"testing"

	"edgelens/internal/testutil"
)

// busOffset is the offset from a Cluster node's port to that of its bus; it is configurable only from Redis 7.0 on.
const busOffset = 10_000

// freePort returns a port of 127.0.0.1 that is free, as is that of its bus.
func freePort(t testing.TB) string {
	t.Helper()
	for {
		host, port, err := net.SplitHostPort(testutil.FreeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		if testutil.IsFree(net.JoinHostPort(host, strconv.Itoa(number+busOffset))) {
			return port
		}
	}
}
