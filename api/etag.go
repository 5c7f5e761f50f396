package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// etagOf is the entity tag (RFC 9110 8.8.3) of content that is identified by its
// bytes.
func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// isCurrent reports whether an If-None-Match header names the tag.
func isCurrent(ifNoneMatch, etag string) bool {
	for tag := range strings.SplitSeq(ifNoneMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// fixed serves content that stays the same while the process runs.
func fixed(contentType string, content []byte) echo.HandlerFunc {
	etag := etagOf(content)
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("ETag", etag)
		h.Set("Cache-Control", "no-cache") // to be revalidated, as the next version differs
		if isCurrent(c.Request().Header.Get("If-None-Match"), etag) {
			return c.NoContent(http.StatusNotModified)
		}
		return c.Blob(http.StatusOK, contentType, content)
	}
}

// completeAllow adds methods without a route of their own, and the media type of
// changes (RFC 5789 3.1), to the methods that Echo found for a path.
func completeAllow(h http.Header) {
	allow := h.Get("Allow")
	if strings.Contains(allow, http.MethodGet) && !strings.Contains(allow, http.MethodHead) {
		h.Set("Allow", allow+", "+http.MethodHead)
	}
	if strings.Contains(allow, http.MethodPatch) {
		h.Set("Accept-Patch", "application/json")
	}
}
