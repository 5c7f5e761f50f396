package api

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// traceHeader has the caller's span (W3C Trace Context).
const traceHeader = "Traceparent"

// requestSpan is the span of a request.
type requestSpan struct {
	tracer   edgelens.Tracer
	parent   edgelens.Trace
	recorded bool
	began    time.Time
}

// isTraced reports whether requests of a route are recorded: not those that last for hours, or are polled.
func isTraced(route string) bool {
	return !quietRoutes[route] && route != "/api/events" && route != "/api/sensors/stream"
}

// beginSpan begins the span of a request, a part of the trace that the client names, if any.
func (s *Server) beginSpan(c echo.Context, x *exchange, began time.Time) requestSpan {
	span := requestSpan{tracer: s.tracer, parent: callerOf(c.Request().Header), began: began}
	if x.trace = span.parent; isTraced(route(c)) {
		x.trace, span.recorded = s.tracer.Begin(span.parent)
	}
	return span
}

// callerOf returns the span in the headers; none where there are several, or an invalid one.
func callerOf(h http.Header) edgelens.Trace {
	if lines := h[traceHeader]; len(lines) == 1 {
		return edgelens.ParseTrace(lines[0])
	}
	return ""
}

// end records the span.
func (r requestSpan) end(c echo.Context, x *exchange, status int, err error) {
	if !r.recorded {
		return
	}
	method := methodOf(c.Request())
	span := edgelens.Span{
		Trace: x.trace, Parent: r.parent, Name: method + " " + route(c), Kind: edgelens.SpanServer, Start: r.began, End: time.Now(),
		Attributes: []slog.Attr{
			slog.String("http.request.method", method), slog.String("http.route", route(c)),
			slog.Int("http.response.status_code", status), slog.String("edgelens.request_id", x.id),
		},
	}
	if x.job != "" {
		span.Attributes = append(span.Attributes, slog.String("edgelens.job", x.job))
	}
	if status >= http.StatusInternalServerError { // one below is the client's error, and no failure of a server's span
		span.Failure = strconv.Itoa(status)
		if err != nil {
			span.Failure = edgelens.Code(err)
		}
	}
	r.tracer.Record(span)
}

// methodOf returns the method of a request, or "_OTHER" (OpenTelemetry's semantic conventions) for one that a client has made
// up.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodHead:
		return r.Method
	default:
		return "_OTHER"
	}
}
