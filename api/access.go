package api

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
	"edgelens/internal/clip"
)

// Access knows the keys of clients, and the sessions that they start. Its methods are quick.
type Access interface {
	// Needed reports whether a key was ever made: from then on, clients on the loopback interface need one, too.
	Needed() bool
	// Authenticate returns the key with the token. Its error is an edgelens.ErrUnauthorized.
	Authenticate(token string) (edgelens.Key, error)
	// Current returns a key as it is now. Its error is an edgelens.ErrUnauthorized if it is not valid any more.
	Current(id string) (edgelens.Key, error)
	// NewSession starts a session by a token. Its error is Authenticate's, or an edgelens.ErrStorage.
	NewSession(token string) (edgelens.Session, error)
	// OpenSession returns the session of a cookie. Its error is an edgelens.ErrUnauthorized, or an edgelens.ErrStorage.
	OpenSession(cookie string) (edgelens.Session, error)
}

// noKeys is the Access of a server without keys: no client has one.
type noKeys struct{}

var errNoKeys = fmt.Errorf("%w: this service has no keys", edgelens.ErrUnauthorized)

func (noKeys) Needed() bool                                 { return false }
func (noKeys) Authenticate(string) (edgelens.Key, error)    { return edgelens.Key{}, errNoKeys }
func (noKeys) Current(string) (edgelens.Key, error)         { return edgelens.Key{}, errNoKeys }
func (noKeys) NewSession(string) (edgelens.Session, error)  { return edgelens.Session{}, errNoKeys }
func (noKeys) OpenSession(string) (edgelens.Session, error) { return edgelens.Session{}, errNoKeys }

// Errors of requests without a valid key.
var (
	errNoKey     = fmt.Errorf("%w: send one as Authorization: Bearer elk_..., or in the header X-API-Key; `edgelens key create` makes one on the service's machine (docs/access.md)", edgelens.ErrUnauthorized)
	errNoFormKey = fmt.Errorf("%w: send one as Authorization: Bearer elk_..., in the header X-API-Key, or in the form's field api_key, which must be in its first %d bytes, before the file", edgelens.ErrUnauthorized, maxFormHead)
	errNoCSRF    = fmt.Errorf("%w: a change by a session needs the header %s with the csrf_token of GET /api/session; programs send a key instead of a cookie", edgelens.ErrForbidden, csrfHeader)
)

// checkAccess identifies the client, and rejects what it may not do, before the body is read.
func (s *Server) checkAccess(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		needed := s.ruleOf(c)
		x := exchangeFrom(c.Request().Context())
		err := s.identify(c, x)
		switch {
		case needed.open:
		case err != nil:
			if s.sendsToLogin(c) {
				return c.Redirect(http.StatusFound, loginURL(original(c.Request())))
			}
			return s.deny(c, needed, err)
		case !needed.permits(x.key):
			return s.deny(c, needed, fmt.Errorf("%w: this call needs the scope %s, and the key %q has %s", edgelens.ErrForbidden, needed.needs(), x.key.Name, with(x.key.Scopes...).needs()))
		case x.session != nil && !s.hasCSRFToken(c.Request(), x.session):
			return s.deny(c, needed, errNoCSRF)
		}
		if deviceRoutes[route(c)] && c.Request().Method != http.MethodGet {
			x.action = "change" // of devices, commands, models, datasets or the outbox
		}
		return next(c)
	}
}

// identify finds out the client's key; edgelens.NoKey where it has none and needs none.
func (s *Server) identify(c echo.Context, x *exchange) error {
	r := c.Request()
	needed := s.keyNeeded(r)
	token, err := headerToken(r.Header)
	if err != nil {
		return err
	}
	form := formRoutes[route(c)] && isForm(r)
	if token == "" && form && (needed || s.access.Needed()) {
		token = peekField(r, keyField)
	}
	if token != "" && (needed || strings.HasPrefix(token, tokenPrefix)) {
		x.key, err = s.access.Authenticate(token)
		return err
	}
	if cookie, found := sessionCookie(r); found {
		session, err := s.access.OpenSession(cookie)
		if err == nil {
			x.key, x.session = session.Key, &session
			return nil
		}
		if needed {
			return err
		}
	}
	switch {
	case !needed:
		x.key = edgelens.NoKey()
		return nil
	case form:
		return errNoFormKey
	}
	return errNoKey
}

// formRoutes take the key in a field of a form.
var formRoutes = map[string]bool{"/api/recognize": true, "/api/recognize_cached": true, "/api/recognize_async": true}

// keyNeeded reports whether a request needs a key.
func (s *Server) keyNeeded(r *http.Request) bool {
	return !s.config.Open && (s.access.Needed() || !s.isLocal(r))
}

// isLocal reports whether a request certainly comes from this machine: both ends of its connection are on the loopback
// interface, and nothing points to a proxy in front of the service.
func (s *Server) isLocal(r *http.Request) bool {
	if s.config.PublicURL != "" || len(s.config.TrustedProxies) > 0 {
		return false
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || proxyHeaders[name] {
			return false
		}
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !remoteAddress(r).IsLoopback() {
		return false
	}
	address, err := netip.ParseAddrPort(local.String())
	return err == nil && address.Addr().Unmap().IsLoopback()
}

// proxyHeaders are those that proxies add, besides X-Forwarded-*.
var proxyHeaders = map[string]bool{"Forwarded": true, "Via": true, "X-Real-Ip": true}

// hasCSRFToken reports whether a request by a session changes nothing, or has the session's token.
func (s *Server) hasCSRFToken(r *http.Request, session *edgelens.Session) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	token := r.Header.Get(csrfHeader)
	if token == "" {
		token = peekField(r, csrfField)
	}
	return sameText(token, session.CSRFToken)
}

// stillPermitted returns an error if the client's key is not valid any more, or it has none and needs one by now; for
// streams.
func (s *Server) stillPermitted(r *http.Request) error {
	x := exchangeFrom(r.Context())
	if err := s.certificateStands(r); err != nil {
		return err
	}
	switch {
	case x.key.ID == "" && s.keyNeeded(r):
		return errNoKey
	case x.key.ID == "":
		return nil
	case x.session != nil && !time.Now().Before(x.session.Expires):
		return fmt.Errorf("%w: the session has ended", edgelens.ErrUnauthorized)
	}
	key, err := s.access.Current(x.key.ID)
	if err == nil {
		x.key = key
	}
	return err
}

// denialInterval is the time between two lines about denied requests.
const denialInterval = time.Second

// deny logs a denied request, unless another was logged just now, and returns the error.
func (s *Server) deny(c echo.Context, needed rule, err error) error {
	x := exchangeFrom(c.Request().Context())
	x.denied = true
	suppressed, pass := s.denials.Pass("", time.Now())
	if !pass {
		return err
	}
	attributes := append(s.who(c, x), slog.String("event", "access_denied"), slog.String("needs", needed.needs()), slog.String("error", err.Error()))
	if suppressed > 0 {
		attributes = append(attributes, slog.Int("suppressed", suppressed))
	}
	s.log.LogAttrs(c.Request().Context(), slog.LevelWarn, "access denied", attributes...)
	return err
}

// who are the attributes of a request in the audit log. The token is none of them.
func (s *Server) who(c echo.Context, x *exchange) []slog.Attr {
	attributes := []slog.Attr{
		slog.String("request_id", x.id), slog.String("method", c.Request().Method), slog.String("route", route(c)),
		slog.String("key", keyName(x.key)),
	}
	if x.key.Name != "" {
		attributes = append(attributes, slog.String("name", x.key.Name))
	}
	if x.certificate != "" {
		attributes = append(attributes, slog.String("certificate", clip.ASCII(x.certificate, maxLoggedName)))
	}
	if client := s.proxies.client(c.Request()); client.IsValid() {
		attributes = append(attributes, slog.String("client", client.String()))
	}
	return attributes
}

// keyName is the key's id in the audit log.
func keyName(key edgelens.Key) string {
	if key.ID == "" {
		return "none"
	}
	return key.ID
}

// audit are the attributes of a request that the audit log is about, besides those of every request.
func audit(c echo.Context, x *exchange) []slog.Attr {
	if x.action == "" {
		return nil
	}
	attributes := []slog.Attr{slog.String("event", "access"), slog.String("action", x.action), slog.String("path", clip.ASCII(c.Request().URL.Path, 200))}
	if x.key.Name != "" {
		attributes = append(attributes, slog.String("name", x.key.Name))
	}
	return append(attributes, x.audited...)
}
