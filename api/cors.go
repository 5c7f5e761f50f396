package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// anyOrigin in http.allowed_origins means any origin.
const anyOrigin = "*"

// cors decides which web pages of other origins may use the service
// (https://fetch.spec.whatwg.org/#http-cors-protocol). Commands have a list of
// their own, because opening a door is more than reading results.
type cors struct {
	data, commands []string
}

// newCORS reads the settings, which must be valid.
func newCORS(config Config) cors {
	return cors{normalOrigins(config.AllowedOrigins), normalOrigins(config.AllowedCommandOrigins)}
}

func normalOrigins(list []string) []string {
	var origins []string
	for _, text := range list {
		if origin, ok := normalOrigin(text); ok {
			origins = append(origins, origin)
		}
	}
	return origins
}

// normalOrigin is an origin (RFC 6454) as browsers write it: in lower case, an
// international host in ASCII, without a default port.
func normalOrigin(text string) (origin string, ok bool) {
	if text == anyOrigin {
		return anyOrigin, true
	}
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", false
	}
	host, port := u.Hostname(), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	} else if host, err = hostName(host); err != nil || host == "" {
		return "", false
	}
	if port != "" && !(u.Scheme == "http" && port == "80") && !(u.Scheme == "https" && port == "443") {
		host += ":" + port
	}
	return u.Scheme + "://" + host, true
}

// checkOrigins reports entries that browsers never send.
func checkOrigins(setting string, list []string, any bool) (errs []error) {
	for _, text := range list {
		if _, ok := normalOrigin(text); !ok || text == anyOrigin && !any {
			errs = append(errs, fmt.Errorf("%s must be origins such as https://dash.example.com or http://192.168.1.9:3000, without a path, not %q", setting, text))
		}
	}
	return errs
}

// dataPaths and commandPaths are the paths for the two lists of origins.
var (
	dataPaths    = []string{"/api/recognize", "/api/recognize_cached", "/api/recognize_async", "/api/similar", "/api/jobs", "/api/results", "/api/events", "/api/sensors", "/api/insights"}
	commandPaths = []string{"/api/devices"}
)

// origins returns the list for a path, and the methods that its pages may use.
func (c cors) origins(path string) (allowed []string, methods string) {
	below := func(parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }
	switch {
	case slices.ContainsFunc(dataPaths, below):
		return c.data, "GET, HEAD, POST, DELETE"
	case path == "/", slices.ContainsFunc(commandPaths, below):
		return c.commands, "GET, HEAD, POST, PATCH, DELETE"
	}
	return nil, ""
}

// allows reports whether pages of the origin may use a path.
func (c cors) allows(path, origin string) bool {
	allowed, _ := c.origins(path)
	return slices.Contains(allowed, anyOrigin) || slices.Contains(allowed, origin)
}

const (
	// corsRequestHeaders may be sent, and corsHeaders read, by those pages.
	corsRequestHeaders = "Authorization, Cache-Control, Content-Encoding, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer, Traceparent, X-API-Key, X-Requested-With"
	corsHeaders        = "ETag, Location, Preference-Applied, Retry-After, X-Cache, X-Ignored-Fields, X-Request-Id"
	// preflightSeconds is how long a browser may cache the response.
	preflightSeconds = "600"
)

// allowOrigins lets pages of the allowed origins read responses, and answers the
// preflight requests of browsers for them.
func (s *Server) allowOrigins(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		allowed, methods := s.cors.origins(r.URL.Path)
		if len(allowed) == 0 {
			return next(c)
		}
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin == "" || !s.cors.allows(r.URL.Path, origin) {
			return next(c)
		}
		if slices.Contains(allowed, anyOrigin) {
			origin = anyOrigin
		}
		h.Set("Access-Control-Allow-Origin", origin)
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			h.Set("Access-Control-Expose-Headers", corsHeaders)
			return next(c)
		}
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", corsRequestHeaders)
		h.Set("Access-Control-Max-Age", preflightSeconds)
		if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
			h.Set("Access-Control-Allow-Private-Network", "true") // https://wicg.github.io/private-network-access
		}
		return c.NoContent(http.StatusNoContent)
	}
}
