package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// serveRoot serves the page to those that prefer HTML, which are browsers, and redirects others to the documentation, as
// before there was a page; page may be nil.
func serveRoot(page http.Handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Add("Vary", "Accept")
		if page == nil || !prefersHTML(c.Request().Header.Values("Accept")) {
			return c.Redirect(http.StatusFound, "/docs")
		}
		page.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

// servePageFile serves the files of the page; page may be nil.
func servePageFile(page http.Handler) echo.HandlerFunc {
	if page == nil {
		return func(echo.Context) error { return echo.ErrNotFound }
	}
	return echo.WrapHandler(page)
}

// prefersHTML reports whether Accept (RFC 9110 12.5.1) names text/html and no other type before it. One that is malformed
// does not.
func prefersHTML(accept []string) bool {
	html, others := 0.0, 0.0
	for entry := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, parameters, _ := strings.Cut(entry, ";")
		weight := 1.0
		for parameter := range strings.SplitSeq(parameters, ";") {
			if value, found := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(parameter), " ", ""), "q="); found {
				parsed, err := strconv.ParseFloat(value, 64)
				if err != nil {
					return false
				}
				weight = parsed
			}
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "text/html":
			html = max(html, weight)
		case "application/xhtml+xml":
		default:
			others = max(others, weight)
		}
	}
	return html > 0 && html >= others
}
