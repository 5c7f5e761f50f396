package api

import (
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
