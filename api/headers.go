package api

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"
)

// closedPolicy is the Content-Security-Policy of responses that are no pages: a browser that shows one as a page anyway
// loads and runs nothing.
const closedPolicy = "default-src 'none'; frame-ancestors 'none'"

// hardenHeaders has browsers believe the Content-Type, not to show this service in other sites' frames, and to send
// no address of it to others.
func (s *Server) hardenHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", closedPolicy)
		return next(c)
	}
}

var (
	inlineStyle  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// pagePolicy is the Content-Security-Policy (https://www.w3.org/TR/CSP3/) of a page of ours: its own style and scripts, by
// their hashes, requests to this service, and nothing else.
func pagePolicy(page []byte) string {
	policy := "default-src 'none'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	for _, kind := range []struct {
		directive string
		inline    *regexp.Regexp
	}{{"style-src", inlineStyle}, {"script-src", inlineScript}} {
		var hashes []string
		for _, found := range kind.inline.FindAllSubmatch(page, -1) {
			sum := sha256.Sum256(found[1])
			hashes = append(hashes, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		}
		if len(hashes) > 0 {
			policy += "; " + kind.directive + " " + strings.Join(hashes, " ")
		}
	}
	return policy
}

// page serves an HTML page of ours that does not change.
func page(html []byte) echo.HandlerFunc {
	policy, serve := pagePolicy(html), fixed(echo.MIMETextHTMLCharsetUTF8, html)
	return func(c echo.Context) error {
		c.Response().Header().Set("Content-Security-Policy", policy)
		return serve(c)
	}
}
