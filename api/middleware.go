package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
	"edgelens/internal/uuid7"
)

// exchange is the middleware's state of one request.
type exchange struct {
	id string
	// bodyRead is true once a handler has begun to read the body.
	bodyRead bool
	// upload is what is reserved for the body; nil without one.
	upload *reservation
	// recognized is true once the request reached the Recognizer, which logs
	// its own line.
	recognized bool
	// key is what the client may do; the zero Key before it is identified.
	key edgelens.Key
	// session is that of the client's cookie; nil without one.
	session *edgelens.Session
	// action is "login", "logout" or "change" where that is for the audit log; empty for
	// other requests.
	action string
	// denied is true once the client was rejected, which has a log line of its own.
	denied bool
}

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) *exchange {
	if e, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return e
	}
	return &exchange{} // outside the middleware, as in a test of one handler
}

func requestIDFrom(ctx context.Context) string { return exchangeFrom(ctx).id }
func requestID(c echo.Context) string          { return requestIDFrom(c.Request().Context()) }
func markRecognized(ctx context.Context)       { exchangeFrom(ctx).recognized = true }

// observe generates the request id, turns a panic into a problem, writes the log
// line of a request that no Recognizer logged, and counts the response.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		x := &exchange{id: uuid7.New(start)}
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), exchangeKey{}, x)))
		c.Response().Header().Set("X-Request-Id", x.id)
		if len(c.Request().TransferEncoding) > 0 {
			// There may have been a Content-Length, too, which net/http removes;
			// then the connection must not be used again (RFC 9112 6.1).
			c.Response().Header().Set("Connection", "close")
		}

		if c.Request().Method == http.MethodOptions {
			c.Response().Before(func() { completeAllow(c.Response().Header()) })
		}

		err := s.guard(next, c)
		if err != nil {
			c.Error(err)
		}
		if c.Request().Header.Get("Expect") != "" && !x.bodyRead {
			// The client did not get its 100 and need not send the body: net/http
			// would wait for it until the timeout.
			_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Now()) // fails without a connection
		}
		status := c.Response().Status
		s.responses.WithLabelValues(route(c), strconv.Itoa(status)).Inc()
		if !x.recognized && !x.denied {
			s.logLine(c, status, err, time.Since(start))
		}
		return nil
	}
}

// guard runs the handler; a panic becomes an error and the process continues.
func (s *Server) guard(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.Error("panic in a handler", "event", "panic", "request_id", requestID(c), "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return next(c)
}

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
		slog.String("route", route(c)), slog.Int("status", status), slog.Float64("ms", milliseconds(took)),
	}
	x := exchangeFrom(c.Request().Context())
	if x.key.ID != "" || x.action != "" {
		attributes = append(attributes, slog.String("key", keyName(x.key)))
	}
	attributes = append(attributes, audit(c, x)...)
	if client := s.proxies.client(c.Request()); client.IsValid() {
		attributes = append(attributes, slog.String("client", client.String()))
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
	}
	s.log.LogAttrs(c.Request().Context(), level, "http", attributes...)
}

// quietRoutes are polled every few seconds by machines.
var quietRoutes = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// route returns the pattern that matched and never the path of the client: it
// becomes a metric label.
func route(c echo.Context) string {
	if p := c.Path(); p != "" {
		return p
	}
	return "none"
}

// normalize answers HEAD as GET, which probes and browsers rely on (net/http
// omits the body by its own request, not this copy), and
// paths with a slash at the end as those without.
func normalize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := withoutSlash(r.URL.Path)
		if r.Method == http.MethodHead || path != r.URL.Path {
			original, address := r, *r.URL
			address.Path, address.RawPath = path, withoutSlash(address.RawPath)
			r = original.WithContext(context.WithValue(r.Context(), originalKey{}, original))
			if r.URL = &address; r.Method == http.MethodHead {
				r.Method = http.MethodGet
			}
		}
		next.ServeHTTP(w, r)
	})
}

// withoutSlash does not change a path that would become empty: POST / sends commands,
// and POST // must not.
func withoutSlash(path string) string {
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		return trimmed
	}
	return path
}

type originalKey struct{}

// original is the request as the client sent it.
func original(r *http.Request) *http.Request {
	if sent, ok := r.Context().Value(originalKey{}).(*http.Request); ok {
		return sent
	}
	return r
}

// boundUploads limits the body of each request and, by a budget in bytes, of
// all of them together: a thousand slow uploads must not fill the memory.
func (s *Server) boundUploads(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
			return next(c)
		}
		compressed, err := isCompressed(c)
		if err != nil {
			return err
		}
		limit := s.bodyLimit(c)
		reserve := limit // the size of a chunked or compressed body is unknown
		if r.ContentLength >= 0 && !compressed || r.ContentLength > limit {
			reserve = r.ContentLength
		}
		if reserve > limit {
			return s.bodyTooLarge(c)
		}
		reserved, ok := s.reserve(reserve)
		if !ok {
			return tooManyUploads
		}
		defer reserved.shrink(0)
		exchangeFrom(r.Context()).upload = reserved
		r.Body = http.MaxBytesReader(c.Response(), watchedBody{r.Body, exchangeFrom(r.Context())}, limit)
		if compressed {
			r.Body = http.MaxBytesReader(c.Response(), &gzipBody{ReadCloser: r.Body}, limit)
			r.ContentLength = -1
		}
		return next(c)
	}
}

// watchedBody records whether it was read.
type watchedBody struct {
	io.ReadCloser
	exchange *exchange
}

// Read implements io.Reader.
func (b watchedBody) Read(p []byte) (int, error) {
	b.exchange.bodyRead = true
	return b.ReadCloser.Read(p)
}

func (s *Server) bodyLimit(c echo.Context) int64 {
	switch {
	case deviceRoutes[route(c)]:
		return maxObjectBytes
	case loginRoutes[route(c)]:
		return maxFormBytes
	}
	return s.config.maxBodyBytes()
}

// bodyTooLarge describes the error for the client.
func (s *Server) bodyTooLarge(c echo.Context) error {
	if deviceRoutes[route(c)] || loginRoutes[route(c)] {
		return fmt.Errorf("%w: the body has more than %d bytes", edgelens.ErrTooLarge, s.bodyLimit(c))
	}
	return tooLarge(s.config.MaxImageBytes)
}
