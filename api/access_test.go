package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
	"edgelens/internal/access"
	"edgelens/internal/access/accesstest"
	"edgelens/internal/testutil"
)

// guarded is a server with keys; requests of httptest come from 192.0.2.1, another machine.
type guarded struct {
	*server
	keys *access.Keys
}

func newGuarded(t *testing.T, edit func(*api.Config, *api.Parts)) *guarded {
	t.Helper()
	keys, err := access.Open(t.Context(), access.Config{}, access.Parts{
		Store: &accesstest.Store{}, SessionFile: filepath.Join(t.TempDir(), "session.key"), Log: (&testutil.LogBuffer{}).Logger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &guarded{keys: keys, server: newServer(t, func(c *api.Config, p *api.Parts) {
		c.Open, p.Access = false, keys
		p.Devices, p.Queue, p.Jobs, p.History, p.Events, p.Outbox = &devices{}, &jobs{}, &ownedJobs{}, &history{}, happened{}, &setAside{}
		p.Readiness = waiting{"degraded: clock: behind"}
		if edit != nil {
			edit(c, p)
		}
	})}
}

// token returns the token of a new key.
func (g *guarded) token(key edgelens.Key) string {
	g.t.Helper()
	if key.Name == "" {
		key.Name = fmt.Sprint("key ", strings.Join(texts(key.Scopes), " "))
	}
	_, token, err := g.keys.CreateKey(g.t.Context(), key)
	if err != nil {
		g.t.Fatal(err)
	}
	return token
}

func texts(scopes []edgelens.Scope) (list []string) {
	for _, scope := range scopes {
		list = append(list, string(scope))
	}
	return list
}

func scoped(scopes ...edgelens.Scope) edgelens.Key { return edgelens.Key{Scopes: scopes} }

func bearing(token string, r *http.Request) *http.Request {
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// plain sends a request, whose answer may be that of a fake which panics.
func (g *guarded) plain(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestKeyIsCheckedBeforeBody(t *testing.T) {
	g := newGuarded(t, func(c *api.Config, _ *api.Parts) { c.MaxUploadBytes = c.MaxImageBytes * 2 })
	for _, contentType := range []string{"image/jpeg", "application/json", ""} {
		r := request("POST", "/api/recognize", contentType, unread{t})
		r.ContentLength = 1 << 40 // it would be 413
		if w := g.do(r); w.Code != 401 {
			t.Errorf("%s: %d", contentType, w.Code)
		}
	}
	gzipped := request("POST", "/api/recognize", "multipart/form-data; boundary=x", unread{t})
	gzipped.Header.Set("Content-Encoding", "gzip")
	if w := g.do(gzipped); w.Code != 401 {
		t.Errorf("a compressed form: %d", w.Code)
	}
}

func TestWaysToSendKey(t *testing.T) {
	g := newGuarded(t, nil)
	token, other := g.token(scoped(edgelens.ScopeRecognize)), g.token(scoped(edgelens.ScopeAdmin))
	image := func() *http.Request {
		return request("POST", "/api/recognize", "image/jpeg", strings.NewReader(anImage))
	}
	with := func(pairs ...string) *http.Request {
		r := image()
		for i := 0; i < len(pairs); i += 2 {
			r.Header.Add(pairs[i], pairs[i+1])
		}
		return r
	}
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	form := func(parts ...field) *http.Request {
		contentType, body := fields(parts...)
		return request("POST", "/api/recognize", contentType, body)
	}
	urlencoded := func(text string) *http.Request {
		return request("POST", "/api/recognize", "application/x-www-form-urlencoded", strings.NewReader(text))
	}
	file := field{"file", anImage, "cat.jpg"}
	large := field{"file", anImage + strings.Repeat("x", 20_000), "cat.jpg"}
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		detail  string
	}{
		"bearer":                       {with("Authorization", "Bearer "+token), 200, ""},
		"bearer, lower case":           {with("Authorization", "bearer  "+token), 200, ""},
		"X-API-Key":                    {with("X-Api-Key", token), 200, ""},
		"basic":                        {with("Authorization", basic("camera:"+token)), 200, ""},
		"basic without a user":         {with("Authorization", basic(":"+token)), 200, ""},
		"the same twice":               {with("Authorization", "Bearer "+token, "X-Api-Key", token), 200, ""},
		"two different":                {with("Authorization", "Bearer "+token, "X-Api-Key", other), 400, "two different keys"},
		"two different, one wrong":     {with("X-Api-Key", "elk_x", "X-Api-Key", other), 400, "two different keys"},
		"another scheme":               {with("Authorization", "Digest "+token), 401, "a valid key is needed"},
		"basic, no base64":             {with("Authorization", "Basic ???"), 401, "a valid key is needed"},
		"in the query":                 {request("POST", "/api/recognize?api_key="+token, "image/jpeg", strings.NewReader(anImage)), 401, "a valid key is needed"},
		"form, before the file":        {form(field{"api_key", token, ""}, file), 200, ""},
		"form, behind other fields":    {form(field{"top_k", "1", ""}, field{"api_key", token, ""}, large), 200, ""},
		"form, behind the file":        {form(file, field{"api_key", token, ""}), 401, "before the file"},
		"form, behind a large file":    {form(large, field{"api_key", token, ""}), 401, "before the file"},
		"form, too late":               {form(field{"note", strings.Repeat("n", 9000), ""}, field{"api_key", token, ""}, file), 401, "first 8192 bytes"},
		"form, wrong":                  {form(field{"api_key", "elk_x", ""}, file), 401, "not valid"},
		"form, as a file":              {form(field{"api_key", token, "key.txt"}, file), 401, "before the file"},
		"form, with a header, too":     {bearing(token, form(field{"api_key", "elk_other", ""}, file)), 200, ""},
		"form without a key":           {form(file), 401, "before the file"},
		"urlencoded":                   {urlencoded("api_key=" + token + "&image=" + strings.ReplaceAll(image64, "+", "%2B")), 200, ""},
		"urlencoded, behind the image": {urlencoded("image=" + strings.Repeat("A", 9000) + "&api_key=" + token), 401, "before the file"},
		"urlencoded, alone":            {urlencoded("api_key=" + token), 400, `no field`},
		"JSON":                         {request("POST", "/api/recognize", "application/json", strings.NewReader(`{"api_key":"`+token+`","image":"`+image64+`"}`)), 401, "a valid key is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			g.recognizer.last = nil
			w := g.plain(c.request)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.detail) {
				t.Fatalf("%d %s, want %d with %q", w.Code, w.Body, c.status, c.detail)
			}
			if c.status != 200 {
				return
			}
			if got := g.recognizer.last; got == nil || !bytes.HasPrefix(got.Image, []byte(anImage)) || got.Owner == "" {
				t.Errorf("the recognizer got %+v", got)
			}
			if ignored := w.Header().Get("X-Ignored-Fields"); ignored != "" {
				t.Errorf("ignored %s", ignored)
			}
		})
	}
	for _, secret := range []string{token, other, token[13:]} {
		if strings.Contains(g.log.String(), secret) {
			t.Errorf("a key is in the log: %s", g.log)
		}
	}
}

// local is a request over a connection between two addresses.
func local(remote, address string, r *http.Request) *http.Request {
	r.RemoteAddr = remote
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)))))
}

func TestLoopbackNeedsNoKeyUntilThereIsOne(t *testing.T) {
	for name, c := range map[string]struct {
		remote, address string
		header          [2]string
		config          func(*api.Config)
		keys            bool
		want            int
	}{
		"loopback":              {remote: "127.0.0.1:1", address: "127.0.0.1:8080", want: 200},
		"IPv6":                  {remote: "[::1]:1", address: "[::1]:8080", want: 200},
		"IPv4 in IPv6":          {remote: "[::ffff:127.0.0.1]:1", address: "[::ffff:127.0.0.1]:8080", want: 200},
		"another machine":       {remote: "192.168.1.7:1", address: "192.168.1.9:8080", want: 401},
		"own address":           {remote: "192.168.1.9:1", address: "192.168.1.9:8080", want: 401},
		"forged remote":         {remote: "127.0.0.1:1", address: "192.168.1.9:8080", want: 401},
		"remote is elsewhere":   {remote: "192.168.1.7:1", address: "127.0.0.1:8080", want: 401},
		"no address":            {remote: "@", address: "127.0.0.1:8080", want: 401},
		"X-Forwarded-For":       {remote: "127.0.0.1:1", address: "127.0.0.1:8080", header: [2]string{"X-Forwarded-For", "127.0.0.1"}, want: 401},
		"X-Forwarded-Whatever":  {remote: "127.0.0.1:1", address: "127.0.0.1:8080", header: [2]string{"X-Forwarded-Whatever", ""}, want: 401},
		"Forwarded":             {remote: "127.0.0.1:1", address: "127.0.0.1:8080", header: [2]string{"Forwarded", "for=127.0.0.1"}, want: 401},
		"X-Real-IP":             {remote: "127.0.0.1:1", address: "127.0.0.1:8080", header: [2]string{"X-Real-IP", "127.0.0.1"}, want: 401},
		"Via":                   {remote: "127.0.0.1:1", address: "127.0.0.1:8080", header: [2]string{"Via", "1.1 proxy"}, want: 401},
		"with a public URL":     {remote: "127.0.0.1:1", address: "127.0.0.1:8080", config: func(c *api.Config) { c.PublicURL = "https://edge.example" }, want: 401},
		"with trusted proxies":  {remote: "127.0.0.1:1", address: "127.0.0.1:8080", config: func(c *api.Config) { c.TrustedProxies = []string{"10.0.0.1"} }, want: 401},
		"once there is a key":   {remote: "127.0.0.1:1", address: "127.0.0.1:8080", keys: true, want: 401},
		"open":                  {remote: "192.168.1.7:1", address: "192.168.1.9:8080", config: func(c *api.Config) { c.Open = true }, want: 200},
		"open, though with key": {remote: "192.168.1.7:1", address: "192.168.1.9:8080", config: func(c *api.Config) { c.Open = true }, keys: true, want: 200},
		"a foreign password":    {remote: "127.0.0.1:1", address: "127.0.0.1:8080", header: [2]string{"Authorization", "Basic YTpi"}, want: 200},
		"a key that is none":    {remote: "127.0.0.1:1", address: "127.0.0.1:8080", header: [2]string{"X-API-Key", "elk_x"}, want: 401},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuarded(t, func(config *api.Config, _ *api.Parts) {
				if c.config != nil {
					c.config(config)
				}
			})
			if c.keys {
				g.token(scoped(edgelens.ScopeMetrics))
			}
			r := request("GET", "/api/devices", "", nil)
			if c.header[0] != "" {
				r.Header.Set(c.header[0], c.header[1])
			}
			if w := g.do(local(c.remote, c.address, r)); w.Code != c.want {
				t.Errorf("%d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
	// A revoked key is one, too: a service does not become open again.
	g := newGuarded(t, nil)
	g.token(edgelens.Key{Name: "app", Scopes: edgelens.Scopes()[:1]})
	if _, err := g.keys.RevokeKey(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	if w := g.do(local("127.0.0.1:1", "127.0.0.1:8080", request("GET", "/api/devices", "", nil))); w.Code != 401 {
		t.Errorf("with a revoked key alone: %d", w.Code)
	}
	// Where no key is needed, one that is sent counts.
	g = newGuarded(t, func(c *api.Config, _ *api.Parts) { c.Open = true })
	if w := g.do(bearing(g.token(scoped(edgelens.ScopeMetrics)), request("GET", "/api/devices", "", nil))); w.Code != 403 {
		t.Errorf("open, with a key without the scope: %d", w.Code)
	}
}

// A flood of denied requests gives one line a second, with the number of the others; a change gives a line of its own.
func TestAuditLog(t *testing.T) {
	g := newGuarded(t, nil)
	token := g.token(scoped(edgelens.ScopeDevices))
	g.log.Reset()
	const flood = 300
	for range flood {
		r := request("POST", "/api/devices/"+door+"/commands", "", strings.NewReader(`{"cmd":"open"}`))
		r.RemoteAddr = "198.51.100.7:1"
		if w := g.do(bearing(token, r)); w.Code != 403 {
			t.Fatal(w.Code)
		}
	}
	log := g.log.String()
	if lines := strings.Count(log, "\n"); lines < 1 || lines > flood/10 {
		t.Errorf("%d lines for %d denied requests:\n%.2000s", lines, flood, log)
	}
	for _, want := range []string{"event=access_denied", "route=/api/devices/:id/commands", "method=POST", "needs=commands", "client=198.51.100.7", `name="key devices"`} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in %.500s", want, log)
		}
	}
	g.log.Reset()
	g.do(bearing(token, request("PATCH", "/api/devices/new", "", strings.NewReader(`{"state":"accepted"}`))))
	g.do(bearing(token, request("PATCH", "/api/devices/none", "", strings.NewReader(`{"state":"accepted"}`))))
	log = g.log.String()
	for _, want := range []string{"event=access action=change path=/api/devices/new", "event=access action=change path=/api/devices/none", "status=200", "status=404"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in %s", want, log)
		}
	}
	g.log.Reset()
	if g.do(bearing(token, request("GET", "/api/devices", "", nil))); strings.Contains(g.log.String(), "event=access") || !strings.Contains(g.log.String(), "msg=http") || !strings.Contains(g.log.String(), "key=") {
		t.Errorf("reading: %s", g.log)
	}
}

func TestPagesOfAllowedOriginsMaySendKeys(t *testing.T) {
	g := newGuarded(t, func(c *api.Config, _ *api.Parts) { c.AllowedOrigins = []string{dash} })
	w := g.do(preflight(dash, "POST", "/api/recognize"))
	h := w.Header()
	if w.Code != 204 || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "X-API-Key") || h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d %v", w.Code, h)
	}
	if w := g.do(from(dash, formRequest("/api/recognize", "file", []byte(anImage)))); w.Code != 401 || w.Header().Get("Access-Control-Allow-Origin") != dash {
		t.Errorf("without a key: %d %v", w.Code, w.Header())
	}
	if w := g.do(bearing(g.token(scoped(edgelens.ScopeRecognize)), from(dash, formRequest("/api/recognize", "file", []byte(anImage))))); w.Code != 200 {
		t.Errorf("with a key: %d", w.Code)
	}
}

// BenchmarkAccess is a small call by a client without a key where none is needed, by key, by session, and denied.
func BenchmarkAccess(b *testing.B) {
	t := &testing.T{}
	build := func(open bool) *server {
		keys, err := access.Open(b.Context(), access.Config{}, access.Parts{Store: &accesstest.Store{}, SessionFile: filepath.Join(b.TempDir(), "session.key"), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		s := newServer(t, func(c *api.Config, p *api.Parts) { c.Open, p.Access, p.Log = open, keys, slog.New(slog.DiscardHandler) })
		_, token, err := keys.CreateKey(b.Context(), edgelens.Key{Name: "app", Scopes: []edgelens.Scope{edgelens.ScopePage}})
		if err != nil {
			b.Fatal(err)
		}
		session, err := keys.NewSession(token)
		if err != nil {
			b.Fatal(err)
		}
		s.log.WriteString(token + "\n" + session.Cookie)
		return s
	}
	guarded := build(false)
	token, cookie, _ := strings.Cut(guarded.log.String(), "\n")
	for _, c := range []struct {
		name    string
		server  *server
		prepare func(*http.Request)
		want    int
	}{
		{"open", build(true), func(*http.Request) {}, 200},
		{"key", guarded, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }, 200},
		{"session", guarded, func(r *http.Request) { r.Header.Set("Cookie", "edgelens_session="+cookie) }, 200},
		{"denied", guarded, func(*http.Request) {}, 401},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := request("GET", "/api/system", "", nil)
				c.prepare(r)
				w := httptest.NewRecorder()
				if c.server.ServeHTTP(w, r); w.Code != c.want {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
