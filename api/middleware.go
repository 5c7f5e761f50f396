package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
	"edgelens/internal/uuid7"
)

// exchange is the middleware's state of one request.
type exchange struct {
	id string
	// trace is the span of the request, and client its address; the zero Addr where that is unknown.
	trace  edgelens.Trace
	client netip.Addr
	// job is the id of the job that it has submitted, if any.
	job string
	// bodyRead is true once a handler has begun to read the body.
	bodyRead bool
	// upload is what is reserved for the body; nil without one.
	upload *reservation
	// arrived is to be called once the body was read, or the request has ended; nil for nothing.
	arrived func()
	// recognized is true once the request reached the Recognizer, which logs
	// its own line.
	recognized bool
	// key is what the client may do; the zero Key before it is identified.
	key edgelens.Key
	// certificate is the name in the certificate that the client has shown by TLS; empty for none.
	certificate string
	// session is that of the client's cookie; nil without one.
	session *edgelens.Session
	// action is "login", "logout", "change", "erase", "release" or "enroll" where that is for the audit log;
	// empty for other requests. audited has further attributes.
	action  string
	audited []slog.Attr
	// denied is true once the client was rejected, which has a log line of its own.
	denied bool
}

// maxLoggedName bounds a name of a client in the log.
const maxLoggedName = 64

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) *exchange {
	if e, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return e
	}
	return &exchange{} // outside the middleware, as in a test of one handler
}

// noteArrival notes that the body was read, or the request has ended.
func (x *exchange) noteArrival() {
	if x.arrived != nil {
		x.arrived()
	}
}

func requestIDFrom(ctx context.Context) string { return exchangeFrom(ctx).id }
func requestID(c echo.Context) string          { return requestIDFrom(c.Request().Context()) }
func markRecognized(ctx context.Context)       { exchangeFrom(ctx).recognized = true }

// observe generates the request id, turns a panic into a problem, writes the log
// line of a request that no Recognizer logged, and counts the response.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		x := &exchange{id: uuid7.New(start), client: s.proxies.client(c.Request())}
		span := s.beginSpan(c, x, start)
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), exchangeKey{}, x)))
		c.Response().Header().Set("X-Request-Id", x.id)
		if s.draining.Load() {
			s.noteDraining(c, start)
		}
		if recognitionRoutes[route(c)] {
			s.recognizing.Add(1)
			defer s.recognizing.Add(-1)
		}
		if hasDoubtfulLength(c.Request()) {
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
		if status == http.StatusServiceUnavailable && recognitionRoutes[route(c)] && !x.recognized { // else the Recognizer counts it
			s.activity.Refused()
		}
		s.responses.WithLabelValues(route(c), strconv.Itoa(status)).Inc()
		span.end(c, x, status, err)
		var refused *refusal
		switch {
		case errors.As(err, &refused):
			s.noteRefusal(refused.reason)
		case !x.recognized && !x.denied:
			s.logLine(c, status, err, time.Since(start))
		}
		return nil
	}
}

// hasDoubtfulLength reports whether another reader of the same bytes, such as a proxy in
// front of this service, could take the end of a request's body for somewhere else: then the
// connection must not be used for another request (RFC 9112 6.1). net/http removes a
// Content-Length beside a Transfer-Encoding, and a Transfer-Encoding in HTTP/1.0.
func hasDoubtfulLength(r *http.Request) bool {
	return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) && r.ContentLength != 0
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
// all of them together: a thousand slow uploads must not fill the memory. And what could
// not be answered in time is refused before it is read.
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
		total, length := limit, int64(-1) // the size of a chunked or compressed body is unknown
		if r.ContentLength >= 0 && !compressed || r.ContentLength > limit {
			total, length = r.ContentLength, r.ContentLength
		}
		if total > limit {
			return s.bodyTooLarge(c)
		}
		x := exchangeFrom(r.Context())
		if x.arrived, err = s.admit(c); err != nil {
			return err
		}
		defer x.noteArrival()
		x.upload = s.budgetOf(c).open(total, length, func() { setReadDeadline(c.Response(), time.Now()) })
		defer x.upload.end()
		r.Body = http.MaxBytesReader(c.Response(), &pacedBody{ReadCloser: r.Body, server: s, exchange: x, response: c.Response(), upload: x.upload}, limit)
		if compressed {
			r.Body = http.MaxBytesReader(c.Response(), &gzipBody{ReadCloser: r.Body}, limit)
			r.ContentLength = -1
		}
		r.Body = &reservedBody{ReadCloser: r.Body, upload: x.upload}
		return next(c)
	}
}

// budgetOf returns the budget for the body of a request.
func (s *Server) budgetOf(c echo.Context) *budget {
	if deviceRoutes[route(c)] {
		return s.commandBodies
	}
	return s.uploads
}

// answersAtOnce are the routes whose requests wait for their recognition.
var answersAtOnce = map[string]bool{"/api/recognize": true, "/api/recognize_cached": true, "/api/similar": true}

// admit refuses a request for a recognition that could not be answered in time
// before its body is read, or returns what is to be called once it was; nil for nothing.
func (s *Server) admit(c echo.Context) (arrived func(), err error) {
	if s.admission == nil || !answersAtOnce[route(c)] {
		return nil, nil
	}
	if ours, ok := c.Request().Context().Value(connKey{}).(*conn); ok {
		if arrived := ours.takeArrived(); arrived != nil {
			return arrived, nil
		}
	}
	prefer := readPreferences(c.Request().Header)
	if prefer.async {
		return nil, nil
	}
	arrived, err = s.admission.Admit(prefer.wait)
	if err != nil {
		skipBody(c.Request())
		return nil, &refusal{reason: refusedAdmission, error: err}
	}
	return arrived, nil
}

// maxSkipped is the length up to which net/http reads a body that no handler has read, so that
// the connection can be used again.
const maxSkipped = 256 << 10

// skipBuffers are for bodies that are not kept.
var skipBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// skipBody reads a body that net/http would read after the handler, in fewer and larger steps.
func skipBody(r *http.Request) {
	if r.ContentLength < 0 || r.ContentLength >= maxSkipped || r.Header.Get("Expect") != "" {
		return
	}
	buffer := skipBuffers.Get().(*[64 << 10]byte)
	defer skipBuffers.Put(buffer)
	for {
		if _, err := r.Body.Read(buffer[:]); err != nil {
			return // the end, or net/http closes the connection
		}
	}
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
