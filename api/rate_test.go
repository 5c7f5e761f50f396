package api_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"edgelens/api"
)

func limited(t *testing.T) *server {
	t.Helper()
	return newServer(t, func(c *api.Config, _ *api.Parts) {
		c.RateLimit, c.RateBurst = 0.01, 3
		c.TrustedProxies = []string{"10.0.0.1"}
	})
}

// from requests the models, and returns the response.
func (s *server) from(address, forwarded string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := request("GET", "/api/models", "", nil)
	r.RemoteAddr = address
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	return s.do(r)
}

func TestRateOfOneClient(t *testing.T) {
	s := limited(t)
	for range 3 {
		if w := s.from("192.168.1.5:1000", ""); w.Code != http.StatusOK {
			t.Fatalf("within the burst: %d", w.Code)
		}
	}
	w := s.from("192.168.1.5:2000", "")
	if w.Code != http.StatusTooManyRequests || problem(t, w)["code"] != "rate_limited" {
		t.Fatalf("above it: %d %s", w.Code, w.Body)
	}
	if seconds, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || seconds < 90 || seconds > 100 {
		t.Errorf("Retry-After is %q, and a token takes 100 s", w.Header().Get("Retry-After"))
	}
	if w := s.from("192.168.1.6:1000", ""); w.Code != http.StatusOK {
		t.Errorf("another client: %d", w.Code)
	}
	for range 10 {
		r := request("GET", "/healthz", "", nil)
		r.RemoteAddr = "192.168.1.5:1000"
		if w := s.do(r); w.Code != http.StatusOK {
			t.Fatalf("a probe: %d", w.Code)
		}
	}
}

func TestRateCountsTheClientBehindAProxy(t *testing.T) {
	s := limited(t)
	for range 3 {
		s.from("10.0.0.1:1000", "203.0.113.7")
	}
	if w := s.from("10.0.0.1:1000", "203.0.113.7"); w.Code != http.StatusTooManyRequests {
		t.Errorf("the same client: %d", w.Code)
	}
	if w := s.from("10.0.0.1:1000", "203.0.113.8"); w.Code != http.StatusOK {
		t.Errorf("another behind the same proxy: %d", w.Code)
	}
	// A header from elsewhere gives no new bucket.
	for n := range 4 {
		w := s.from("192.168.1.9:1000", "203.0.113."+strconv.Itoa(100+n))
		if want := n == 3; want != (w.Code == http.StatusTooManyRequests) {
			t.Errorf("request %d of a client that forges the header: %d", n, w.Code)
		}
	}
}

// One machine has all addresses of a network of 64 bits.
func TestRateOfIPv6Networks(t *testing.T) {
	s := limited(t)
	for n := range 4 {
		w := s.from("[2001:db8:1:2::"+strconv.Itoa(n+1)+"]:1000", "")
		if want := n == 3; want != (w.Code == http.StatusTooManyRequests) {
			t.Errorf("address %d: %d", n, w.Code)
		}
	}
	if w := s.from("[2001:db8:1:3::1]:1000", ""); w.Code != http.StatusOK {
		t.Errorf("another network: %d", w.Code)
	}
}
