package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
)

// login sends the form of the login page.
func (g *guarded) login(token, next string, edit func(*http.Request)) *httptest.ResponseRecorder {
	g.t.Helper()
	form := url.Values{"key": {token}, "next": {next}}
	r := request("POST", "/login", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if edit != nil {
		edit(r)
	}
	return g.do(r)
}

// session is the cookie of a browser that has logged in, with the session's token.
func (g *guarded) session(token string) (cookie *http.Cookie, csrf string) {
	g.t.Helper()
	w := g.login(" "+token+"\n", "/docs?x=1", nil)
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/docs?x=1" || len(cookies) != 1 {
		g.t.Fatalf("login: %d %v %s", w.Code, w.Header(), w.Body)
	}
	csrf, _ = decoded(g.t, g.do(by(cookies[0], request("GET", "/api/session", "", nil))))["csrf_token"].(string)
	return cookies[0], csrf
}

func by(cookie *http.Cookie, r *http.Request) *http.Request {
	r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	return r
}

func TestSessionIsThatOfItsKey(t *testing.T) {
	doors := &devices{}
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Devices = doors })
	token := g.token(edgelens.Key{Name: "front desk", Scopes: []edgelens.Scope{edgelens.ScopePage, edgelens.ScopeDevices}, Devices: []string{"new"}})
	cookie, csrf := g.session(token)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure || cookie.Path != "/" || cookie.Expires.IsZero() {
		t.Errorf("%+v", cookie)
	}
	body := decoded(t, g.do(by(cookie, request("GET", "/api/session", "", nil))))
	if body["name"] != "front desk" || fmt.Sprint(body["scopes"]) != "[page devices]" || fmt.Sprint(body["devices"]) != "[new]" || body["see_all"] != false || csrf == "" || body["expires_at"] == nil {
		t.Errorf("%v", body)
	}
	if body := decoded(t, g.do(bearing(token, request("GET", "/api/session", "", nil)))); body["csrf_token"] != nil {
		t.Errorf("a key has a CSRF token: %v", body)
	}
	for path, want := range map[string]int{"/api/devices": 200, "/docs": 200, "/api/results": 200, "/metrics": 403, "/api/outbox": 403} {
		if w := g.do(by(cookie, request("GET", path, "", nil))); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	change := func() *http.Request {
		return by(cookie, request("PATCH", "/api/devices/new", "", strings.NewReader(`{"state":"accepted"}`)))
	}
	with := func(token string) *http.Request {
		r := change()
		r.Header.Set("X-CSRF-Token", token)
		return r
	}
	for name, c := range map[string]struct {
		request *http.Request
		want    int
	}{
		"without a CSRF token":       {change(), 403},
		"with a wrong one":           {with(csrf[:len(csrf)-1] + "_"), 403},
		"with the cookie":            {with(cookie.Value), 403},
		"with it":                    {with(csrf), 200},
		"by key, the cookie ignored": {bearing(token, change()), 200},
	} {
		before := len(doors.changes)
		if w := g.do(c.request); w.Code != c.want || (len(doors.changes) > before) != (c.want == 200) {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
	}

	if page := g.do(by(cookie, request("GET", "/login", "", nil))).Body.String(); !strings.Contains(page, "front desk") || !strings.Contains(page, csrf) || strings.Contains(page, `name="key"`) {
		t.Errorf("the page of a session: %s", page)
	}
	if _, err := g.keys.RevokeKey(t.Context(), "front desk"); err != nil {
		t.Fatal(err)
	}
	if w := g.do(by(cookie, request("GET", "/api/devices", "", nil))); w.Code != 401 {
		t.Errorf("the session of a revoked key: %d", w.Code)
	}
	for _, secret := range []string{token, cookie.Value, csrf} {
		if strings.Contains(g.log.String(), secret) {
			t.Errorf("a secret is in the log: %s", g.log)
		}
	}
}

func TestFormsMaySendCSRFToken(t *testing.T) {
	g := newGuarded(t, nil)
	cookie, csrf := g.session(g.token(scoped(edgelens.ScopeRecognize)))
	for token, want := range map[string]int{csrf: 200, "": 403, "x": 403} {
		contentType, body := fields(field{"csrf_token", token, ""}, field{"file", anImage, "cat.jpg"})
		if w := g.do(by(cookie, request("POST", "/api/recognize", contentType, body))); w.Code != want || w.Header().Get("X-Ignored-Fields") != "" {
			t.Errorf("%q: %d, want %d: %s", token, w.Code, want, w.Body)
		}
	}
}

func TestForgedCookies(t *testing.T) {
	g := newGuarded(t, nil)
	cookie, _ := g.session(g.token(scoped(edgelens.ScopePage)))
	for _, value := range []string{"x", cookie.Value + "x", cookie.Value[1:], strings.Replace(cookie.Value, ".", "..", 1), strings.Repeat("a", 3000)} {
		if w := g.do(by(&http.Cookie{Name: cookie.Name, Value: value}, request("GET", "/api/devices", "", nil))); w.Code != 401 {
			t.Errorf("%.40s: %d", value, w.Code)
		}
	}
	// Where no key is needed, an old cookie is no obstacle.
	open := newGuarded(t, func(c *api.Config, _ *api.Parts) { c.Open = true })
	if w := open.do(by(cookie, request("GET", "/api/devices", "", nil))); w.Code != 200 {
		t.Errorf("the cookie of another service: %d", w.Code)
	}
}

func TestLogout(t *testing.T) {
	g := newGuarded(t, nil)
	cookie, csrf := g.session(g.token(scoped(edgelens.ScopePage)))
	logout := func(token string) *httptest.ResponseRecorder {
		return g.do(by(cookie, request("POST", "/logout", "application/x-www-form-urlencoded", strings.NewReader(url.Values{"csrf_token": {token}}.Encode()))))
	}
	if w := logout(""); w.Code != 403 || len(w.Result().Cookies()) != 0 {
		t.Errorf("without the token: %d %v", w.Code, w.Header())
	}
	w := logout(csrf)
	if cookies := w.Result().Cookies(); w.Code != http.StatusSeeOther || len(cookies) != 1 || cookies[0].MaxAge >= 0 || cookies[0].Value != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if !strings.Contains(g.log.String(), "action=logout") || !strings.Contains(g.log.String(), "action=login") {
		t.Errorf("the log: %s", g.log)
	}
}

func TestCookieIsSecureByTLS(t *testing.T) {
	for name, c := range map[string]struct {
		header [2]string
		remote string
		want   bool
	}{
		"plain":               {},
		"a trusted proxy":     {[2]string{"X-Forwarded-Proto", "https"}, "10.0.0.5:1", true},
		"by Forwarded":        {[2]string{"Forwarded", "for=1.2.3.4;proto=HTTPS"}, "10.0.0.5:1", true},
		"a proxy without TLS": {[2]string{"X-Forwarded-Proto", "http"}, "10.0.0.5:1", false},
		"another client":      {[2]string{"X-Forwarded-Proto", "https"}, "10.0.0.6:1", false},
	} {
		g := newGuarded(t, func(config *api.Config, _ *api.Parts) { config.TrustedProxies = []string{"10.0.0.5"} })
		w := g.login(g.token(scoped(edgelens.ScopePage)), "", func(r *http.Request) {
			if c.remote != "" {
				r.RemoteAddr = c.remote
				r.Header.Set(c.header[0], c.header[1])
			}
		})
		if cookies := w.Result().Cookies(); len(cookies) != 1 || cookies[0].Secure != c.want {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
}

// After a login, a browser stays on this service.
func TestNextIsLocal(t *testing.T) {
	g := newGuarded(t, nil)
	token := g.token(scoped(edgelens.ScopePage))
	for next, want := range map[string]string{
		"/docs": "/docs", "/api/results?device=a%20b": "/api/results?device=a%20b", "": "/", "https://evil.example": "/", "//evil.example": "/", "/\\evil.example": "/",
		"evil": "/", "/\t/evil.example": "/", "javascript:alert(1)": "/", "http:/docs": "/", "/docs\r\nX: y": "/", "\\\\evil.example": "/",
	} {
		if got := g.login(token, next, nil).Header().Get("Location"); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

func TestBrowsersAreSentToLogin(t *testing.T) {
	g := newGuarded(t, nil)
	get := func(path, accept string) *httptest.ResponseRecorder {
		r := request("GET", path, "", nil)
		r.Header.Set("Accept", accept)
		return g.do(r)
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for path, want := range map[string]string{"/docs?a=b": "/login?next=%2Fdocs%3Fa%3Db", "/": "/login?next=%2F"} {
		if w := get(path, browser); w.Code != 302 || w.Header().Get("Location") != want {
			t.Errorf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
		if w := get(path, "*/*"); w.Code != 401 {
			t.Errorf("a program at %s: %d", path, w.Code)
		}
	}
	if w := get("/api/devices", browser); w.Code != 401 {
		t.Errorf("a call of the API: %d", w.Code)
	}
	page := get("/login?next=%2Fdocs", browser)
	if body := page.Body.String(); page.Code != 200 || !strings.Contains(body, `name="next" value="/docs"`) || strings.Contains(body, "src=") || strings.Contains(body, "<script") || page.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", page.Code, page.Header(), body)
	}
}

// Guessing is slowed down by address, and logged.
func TestFailedLoginsAreLimited(t *testing.T) {
	g := newGuarded(t, nil)
	token := g.token(scoped(edgelens.ScopePage))
	attempt := func(remote, token string) *httptest.ResponseRecorder {
		return g.login(token, "", func(r *http.Request) { r.RemoteAddr = remote })
	}
	for range 10 {
		if w := attempt("[2001:db8::1]:1", "elk_wrong"); w.Code != 401 || !strings.Contains(w.Body.String(), "not valid") || len(w.Result().Cookies()) != 0 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	w := attempt("[2001:db8::ffff]:1", token) // the same network
	if w.Code != 429 || w.Header().Get("Retry-After") == "" || len(w.Result().Cookies()) != 0 {
		t.Errorf("the eleventh: %d %v", w.Code, w.Header())
	}
	if w := attempt("[2001:db8:0:1::1]:1", token); w.Code != 303 {
		t.Errorf("another network: %d", w.Code)
	}
	if !strings.Contains(g.log.String(), "event=access_denied") {
		t.Errorf("the log: %s", g.log)
	}
	if w := g.do(request("POST", "/login", "application/x-www-form-urlencoded", strings.NewReader("key="+strings.Repeat("x", 9000)))); w.Code != 413 {
		t.Errorf("a large form: %d", w.Code)
	}
}
