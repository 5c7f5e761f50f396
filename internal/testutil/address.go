package testutil

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// given are the ports that this process has allocated.
var given struct {
	sync.Mutex
	ports map[int]bool
}

// FreeAddress returns an address of 127.0.0.1, as host:port, on which nothing listens; each call returns another. The
// port is below those that Linux gives to outgoing connections (32768 and more), so that none of these takes it before
// its server starts, or while it is down. It is safe for use by many goroutines.
func FreeAddress(t testing.TB) string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for range 1000 {
		port := 12_000 + rand.N(10_000)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if given.ports[port] || !IsFree(address) {
			continue
		}
		given.ports[port] = true
		return address
	}
	t.Fatal("there is no free port on 127.0.0.1")
	return ""
}

// IsFree reports whether a server could listen on the TCP address now.
func IsFree(address string) bool {
	listener, err := net.Listen("tcp", address)
	return err == nil && listener.Close() == nil
}
