package api

import (
	"net/netip"
	"testing"
)

// made is a made-up address.
func made(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
}

// A flood of made-up addresses takes a bounded memory, and clients still get in.
func TestRatesAreBounded(t *testing.T) {
	r := newRates(Config{RateLimit: 0.001, RateBurst: 1})
	for n := range 3 * maxRateClients {
		if wait := r.take(made(n)); wait != 0 {
			t.Fatalf("client %d must wait %v", n, wait)
		}
		if len(r.buckets) > maxRateClients {
			t.Fatalf("%d buckets", len(r.buckets))
		}
	}
	if r.take(made(3*maxRateClients-1)) == 0 {
		t.Error("the last client has no bucket")
	}
}
