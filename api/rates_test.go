package api

import (
	"strconv"
	"testing"
)

// A flood of made-up addresses takes a bounded memory, and clients still get in.
func TestRatesAreBounded(t *testing.T) {
	r := newRates(Config{RateLimit: 0.001, RateBurst: 1})
	for n := range 3 * maxRateClients {
		if wait := r.take(strconv.Itoa(n)); wait != 0 {
			t.Fatalf("client %d must wait %v", n, wait)
		}
		if len(r.buckets) > maxRateClients {
			t.Fatalf("%d buckets", len(r.buckets))
		}
	}
	if r.take(strconv.Itoa(3*maxRateClients-1)) == 0 {
		t.Error("the last client has no bucket")
	}
}
