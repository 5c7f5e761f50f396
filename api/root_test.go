package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
)

// withPage adds a page to a server.
func withPage(_ *api.Config, p *api.Parts) {
	p.Page = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "page at "+r.URL.Path)
	})
}

// Those that prefer HTML get the page, and all others what they got before there was one.
func TestRootByAccept(t *testing.T) {
	s, without := newServer(t, withPage), newServer(t, nil)
	for accept, isPage := range map[string]bool{
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": true, "text/html": true, "TEXT/HTML;Q=0.9, */*;q=0.1": true, "application/xhtml+xml, text/html;q=0.9": true,
		"": false, "*/*": false, "application/json": false, "application/json, text/html;q=0.9": false, "text/html;q=0": false, "text/html;q=x": false, "text/plain": false, "text/html;level=1;q=0.4, */*;q=0.5": false,
	} {
		r := request("GET", "/", "", nil)
		r.Header.Set("Accept", accept)
		w := s.do(r)
		matchesDescription(t, r, w)
		if isPage && (w.Code != 200 || w.Body.String() != "page at /") || !isPage && (w.Code != 302 || w.Header().Get("Location") != "/docs") {
			t.Errorf("Accept: %s: %d %q", accept, w.Code, w.Body)
		}
		if w.Header().Get("Vary") != "Accept" {
			t.Errorf("Accept: %s: Vary is %q", accept, w.Header().Get("Vary"))
		}
		if w := without.do(r); w.Code != 302 || w.Header().Get("Location") != "/docs" {
			t.Errorf("without a page, Accept: %s: %d to %q", accept, w.Code, w.Header().Get("Location"))
		}
	}
	if w := s.do(request("GET", "/page/1/js/app.js", "", nil)); w.Code != 200 || w.Body.String() != "page at /page/1/js/app.js" {
		t.Errorf("a file of the page: %d %q", w.Code, w.Body)
	}
	if w := without.do(request("GET", "/page/1/js/app.js", "", nil)); w.Code != 404 {
		t.Errorf("a file without a page: %d", w.Code)
	}
}

// The login page may load its style, which needs no key as the page does not.
func TestLoginPageHasItsStyle(t *testing.T) {
	g := newGuarded(t, nil)
	g.token(scoped(edgelens.ScopeAdmin)) // from now on a key is needed
	w := g.do(request("GET", "/login", "", nil))
	if policy := w.Header().Get("Content-Security-Policy"); w.Code != 200 || !strings.Contains(policy, "style-src 'self'") || !strings.Contains(policy, "form-action 'self'") || strings.Contains(policy, "script-src") {
		t.Errorf("/login: %d with the policy %q", w.Code, policy)
	}
	if !strings.Contains(w.Body.String(), `href="/login/login.css"`) || strings.Contains(w.Body.String(), "<style") {
		t.Errorf("/login does not link its style: %s", w.Body)
	}
	if w := g.do(request("GET", "/login/login.css", "", nil)); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("the style: %d %v", w.Code, w.Header())
	}
}
