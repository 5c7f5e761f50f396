package examples

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
)

// proxyTo returns a proxy to a service. The service does not learn of it: its client is on this machine.
func proxyTo(t *testing.T, server string) http.Handler {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
}
