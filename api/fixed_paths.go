package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// fixedPaths returns the paths without parameters, each with the methods that it has.
func fixedPaths(e *echo.Echo) map[string][]string {
	all := map[string][]string{}
	for _, one := range e.Routes() {
		if !strings.ContainsAny(one.Path, ":*") {
			all[one.Path] = append(all[one.Path], one.Method)
		}
	}
	return all
}

// keepFixedPaths refuses methods that a path lacks and that Echo would find at a path with a parameter: DELETE
// /api/results/export does not erase a result with the id "export".
func (s *Server) keepFixedPaths(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		path := c.Request().URL.Path
		methods, fixed := s.fixedPaths[path]
		if !fixed || !strings.Contains(c.Path(), ":") || c.Request().Method == http.MethodOptions {
			return next(c)
		}
		c.Response().Header().Set(echo.HeaderAllow, strings.Join(slices.Sorted(slices.Values(append(slices.Clone(methods), http.MethodOptions))), ", "))
		return echo.ErrMethodNotAllowed
	}
}
