package api_test

import (
	"strings"
	"testing"
)

func TestHeadersForBrowsers(t *testing.T) {
	s := newServer(t, nil)
	for _, path := range []string{"/docs", "/openapi.yaml", "/healthz", "/api/models", "/nothing"} {
		h := s.do(request("GET", path, "", nil)).Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, h)
		}
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
	}
}
