package api

import (
	"bytes"
	"context"
	"crypto/subtle"
	_ "embed" // login.html and login.css
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"edgelens"
)

const (
	// cookieName is the cookie of a session.
	cookieName = "edgelens_session"
	// maxFormBytes is the maximum size of the forms of the login page.
	maxFormBytes = 8 << 10
	// afterLogin is where a browser goes that was not sent to the login page by another.
	afterLogin = "/"
)

// loginRoutes are those of the page.
var loginRoutes = map[string]bool{"/login": true, "/logout": true}

var (
	//go:embed login.html
	loginText string
	//go:embed login.css
	loginStyle []byte
)

// loginPolicy lets the page load its style and send its forms to this service, and nothing else.
const loginPolicy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

var loginTemplate = template.Must(template.New("login").Parse(loginText))

// loginPage is what the page shows.
type loginPage struct {
	// Problem is a sentence about the last attempt; empty for none.
	Problem string
	// Next is where to go after the login.
	Next string
	// Session is that of the browser; nil for none.
	Session *edgelens.Session
	// KeyNeeded is false where this browser needs no key.
	KeyNeeded bool
}

// sameText compares secrets in constant time.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// sessionCookie returns the cookie of a session.
func sessionCookie(r *http.Request) (value string, found bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil || cookie.Value == "" {
		return "", false
	}
	return cookie.Value, true
}

// sendsToLogin reports whether a request without a key is that of a person, who can log in: a browser that opens a page.
func (s *Server) sendsToLogin(c echo.Context) bool {
	r := c.Request()
	page := route(c) == "/" || route(c) == "/docs"
	return page && r.Method == http.MethodGet && r.Header.Get("Authorization") == "" && acceptsHTML(r)
}

func acceptsHTML(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// loginURL is the login page, which leads back to the request's page.
func loginURL(r *http.Request) string {
	return "/login?" + url.Values{"next": {localPath(r.URL.RequestURI())}}.Encode()
}

// localPath returns a path of this service, with its query; the one after a login where text is none, so that a link to
// the login page cannot lead to another site.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' }) {
		return afterLogin
	}
	return text
}

// serveLogin shows the login page.
func (s *Server) serveLogin(c echo.Context) error {
	return s.showLogin(c, http.StatusOK, loginPage{Next: localPath(c.QueryParam("next"))})
}

func (s *Server) showLogin(c echo.Context, status int, page loginPage) error {
	page.Session, page.KeyNeeded = exchangeFrom(c.Request().Context()).session, s.keyNeeded(c.Request())
	var body bytes.Buffer
	if err := loginTemplate.Execute(&body, page); err != nil {
		return fmt.Errorf("render the login page: %w", err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Content-Security-Policy", loginPolicy)
	return c.HTMLBlob(status, body.Bytes())
}

// serveLoginForm starts a session by the key in the form.
func (s *Server) serveLoginForm(c echo.Context) error {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		return bodyError(err)
	}
	page := loginPage{Next: localPath(r.PostForm.Get("next"))}
	client, now := s.proxies.client(r), time.Now()
	if wait := s.logins.wait(client, now); wait > 0 {
		seconds := int(math.Ceil(wait.Seconds()))
		c.Response().Header().Set("Retry-After", strconv.Itoa(seconds))
		page.Problem = fmt.Sprintf("Too many attempts from your address. Try again in %d seconds.", seconds)
		_ = s.deny(c, anyKey, errLogins)
		return s.showLogin(c, http.StatusTooManyRequests, page)
	}
	session, err := s.access.NewSession(strings.TrimSpace(r.PostForm.Get("key")))
	switch {
	case errors.Is(err, edgelens.ErrUnauthorized):
		s.logins.fail(client, now)
		_ = s.deny(c, anyKey, err)
		page.Problem = "This key is not valid. Enter the whole key as it was shown once, with elk_ in front; an operator can make another by `edgelens key create`."
		return s.showLogin(c, http.StatusUnauthorized, page)
	case err != nil:
		return err
	}
	x := exchangeFrom(r.Context())
	x.key = session.Key
	x.action = "login"
	s.setCookie(c, session.Cookie, session.Expires)
	return c.Redirect(http.StatusSeeOther, page.Next)
}

// serveLogout ends the session of this browser.
func (s *Server) serveLogout(c echo.Context) error {
	r := c.Request()
	x := exchangeFrom(r.Context())
	if err := r.ParseForm(); err != nil {
		return bodyError(err)
	}
	if x.session != nil && !sameText(r.PostForm.Get(csrfField), x.session.CSRFToken) && !sameText(r.Header.Get(csrfHeader), x.session.CSRFToken) {
		return s.deny(c, anyKey, errNoCSRF)
	}
	if x.session != nil {
		x.action = "logout"
	}
	s.setCookie(c, "", time.Time{})
	return c.Redirect(http.StatusSeeOther, "/login")
}

// setCookie sets the cookie of a session, or removes it where value is empty.
func (s *Server) setCookie(c echo.Context, value string, expires time.Time) {
	cookie := &http.Cookie{ // #nosec G124 -- a cookie that is Secure would not be sent to a service without HTTPS
		Name: cookieName, Value: value, Path: "/", Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.isSecure(c.Request()),
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	c.SetCookie(cookie)
	c.Response().Header().Set("Cache-Control", "no-store")
}

// isSecure reports whether the client's connection is encrypted: that to this service, or to a trusted proxy.
func (s *Server) isSecure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if !s.proxies.trusts(r) {
		return false
	}
	forwarded := s.proxies.forwarded(r, "X-Forwarded-Proto", "proto")
	return len(forwarded) > 0 && strings.EqualFold(forwarded[0], "https")
}

// GetSession implements StrictServerInterface.
func (s *Server) GetSession(ctx context.Context, _ GetSessionRequestObject) (GetSessionResponseObject, error) {
	x := exchangeFrom(ctx)
	session := Session{
		Key: optional(x.key.ID), Name: optional(x.key.Name), Scopes: make([]Scope, 0, len(x.key.Scopes)), SeeAll: x.key.Visible() == nil,
		ExpiresAt: timeOrNil(x.key.Expires),
	}
	for _, scope := range x.key.Scopes {
		session.Scopes = append(session.Scopes, Scope(scope))
	}
	if len(x.key.Devices) > 0 {
		session.Devices = &x.key.Devices
	}
	if len(x.key.Models) > 0 {
		session.Models = &x.key.Models
	}
	if x.session != nil {
		session.CsrfToken = &x.session.CSRFToken
		if session.ExpiresAt == nil || x.session.Expires.Before(*session.ExpiresAt) {
			session.ExpiresAt = timeOrNil(x.session.Expires.UTC())
		}
	}
	return GetSession200JSONResponse{Body: session, Headers: GetSession200ResponseHeaders{CacheControl: "no-store"}}, nil
}
