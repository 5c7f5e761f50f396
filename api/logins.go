package api

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"edgelens"
)

const (
	// maxFailedLogins is how many attempts of an address may fail in loginWindow.
	maxFailedLogins = 10
	loginWindow     = time.Minute
	// maxLoginAddresses bounds the memory; further addresses have one window together.
	maxLoginAddresses = 10_000
)

// errLogins is logged for an address with too many failed logins.
var errLogins = fmt.Errorf("%w: too many failed logins", edgelens.ErrUnauthorized)

// logins counts failed logins by address. The zero value has counted none. It is safe for use by many goroutines.
type logins struct {
	mu     sync.Mutex
	failed map[netip.Prefix]failedLogins
}

// failedLogins are those of one window.
type failedLogins struct {
	since time.Time
	count int
}

// networkOf is what counts as one address: for IPv6 the network that a client has for itself alone.
func networkOf(client netip.Addr) netip.Prefix {
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	network, err := client.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no IP address
	}
	return network
}

// wait returns how long the address must wait until the next attempt; 0 if it need not.
func (l *logins) wait(client netip.Addr, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.failed[l.bucket(networkOf(client), now)]
	if failed.count < maxFailedLogins {
		return 0
	}
	return max(0, failed.since.Add(loginWindow).Sub(now))
}

// fail counts a failed login.
func (l *logins) fail(client netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = map[netip.Prefix]failedLogins{}
	}
	network := l.bucket(networkOf(client), now)
	failed := l.failed[network]
	if now.Sub(failed.since) >= loginWindow {
		failed = failedLogins{since: now}
	}
	failed.count++
	l.failed[network] = failed
}

// bucket returns where an address is counted: with others where there are too many.
func (l *logins) bucket(network netip.Prefix, now time.Time) netip.Prefix {
	if _, known := l.failed[network]; known || len(l.failed) < maxLoginAddresses {
		return network
	}
	for old, failed := range l.failed {
		if now.Sub(failed.since) >= loginWindow {
			delete(l.failed, old)
		}
	}
	if len(l.failed) < maxLoginAddresses {
		return network
	}
	return netip.Prefix{}
}
