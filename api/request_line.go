package api

import (
	"log/slog"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens/internal/clip"
)

// logLine writes the line of a request that no Recognizer logged.
func (s *Server) logLine(c echo.Context, status int, err error, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelWarn
	case status < 400 && quietRoutes[route(c)]:
		level = slog.LevelDebug
	}
	attributes := []slog.Attr{
		slog.String("request_id", requestID(c)), slog.String("method", c.Request().Method),
		slog.String("route", route(c)), slog.Int("status", status), slog.Duration("ms", took),
	}
	x := exchangeFrom(c.Request().Context())
	if x.key.ID != "" || x.action != "" {
		attributes = append(attributes, slog.String("key", keyName(x.key)))
	}
	if x.certificate != "" {
		attributes = append(attributes, slog.String("certificate", clip.ASCII(x.certificate, maxLoggedName)))
	}
	attributes = append(attributes, audit(c, x)...)
	if x.client.IsValid() {
		attributes = append(attributes, slog.String("client", x.client.String()))
	}
	if x.job != "" {
		attributes = append(attributes, slog.String("job", x.job))
	}
	if trace := x.trace.ID(); trace != "" {
		attributes = append(attributes, slog.String("trace_id", trace))
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
	}
	s.log.LogAttrs(c.Request().Context(), level, "http", attributes...)
}

// quietRoutes are polled every few seconds by machines, or by the page, or are its files.
var quietRoutes = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true, "/api/activity": true, "/api/system": true, "/api/models": true, "/page/*": true}
