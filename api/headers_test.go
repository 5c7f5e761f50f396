package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
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

// The page's own style is all that it may have.
func TestDocsPolicy(t *testing.T) {
	w := newServer(t, nil).do(request("GET", "/docs", "", nil))
	if w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	policy := w.Header().Get("Content-Security-Policy")
	styles := regexp.MustCompile(`(?s)<style[^>]*>(.*?)</style>`).FindAllStringSubmatch(w.Body.String(), -1)
	if len(styles) == 0 {
		t.Fatal("the page has no style")
	}
	for _, style := range styles {
		sum := sha256.Sum256([]byte(style[1]))
		if hash := base64.StdEncoding.EncodeToString(sum[:]); !strings.Contains(policy, "'sha256-"+hash+"'") {
			t.Errorf("the policy %q does not allow the page's style %s", policy, hash)
		}
	}
	if inline := regexp.MustCompile(`(?i)<[^>]+ (style|on[a-z]+)=`).FindString(w.Body.String()); inline != "" {
		t.Errorf("the policy does not allow %q", inline)
	}
}
