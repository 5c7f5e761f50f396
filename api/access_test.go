package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

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

// ownedJobs has one job with an owner and a device.
type ownedJobs struct {
	owner, device string
	canceled      int
	filter        edgelens.JobFilter
}

func (j *ownedJobs) Job(_ context.Context, id string) (edgelens.Job, error) {
	if id != jobID {
		return edgelens.Job{}, fmt.Errorf("look up job %s: %w: no job has this id; it may have been removed for its age", id, edgelens.ErrNotFound)
	}
	return edgelens.Job{ID: jobID, Status: edgelens.JobSucceeded, JobSpec: edgelens.JobSpec{Owner: j.owner, Device: j.device}}, nil
}

func (j *ownedJobs) Wait(ctx context.Context, id string) (edgelens.Job, error) { return j.Job(ctx, id) }

func (j *ownedJobs) Jobs(_ context.Context, filter edgelens.JobFilter) ([]edgelens.Job, string, error) {
	j.filter = filter
	return nil, "", nil
}

func (j *ownedJobs) Submit(context.Context, edgelens.JobSpec, []byte) (edgelens.Job, bool, error) {
	return edgelens.Job{}, false, errors.New("not in this test")
}

func (j *ownedJobs) Cancel(ctx context.Context, id string) (edgelens.Job, error) {
	j.canceled++
	return j.Job(ctx, id)
}

// wanted are the scopes that each route needs, any of them; "open" for none, "key" for any key.
var wanted = map[string]string{
	"POST /api/recognize": "recognize", "POST /api/recognize_cached": "recognize", "POST /api/recognize_async": "jobs",
	"GET /api/jobs": "jobs page", "GET /api/jobs/:id": "jobs page", "DELETE /api/jobs/:id": "jobs",
	"GET /api/results/export": "results page", "GET /api/devices/:id/records": "devices page", "DELETE /api/devices/:id": "devices",
	"POST /api/models/:name/load": "", "POST /api/models/:name/unload": "", "GET /api/activity": "metrics page", "GET /api/settings": "page",
	"GET /docs/docs.css": "key", "GET /docs/docs.js": "key",
	"GET /api/results": "results page", "GET /api/results/:id": "results page", "GET /api/results/:id/image": "results page", "GET /api/events": "jobs results devices page",
	"GET /api/sensors": "devices page", "GET /api/sensors/:id/points": "devices page", "GET /api/sensors/stream": "devices page", "GET /api/insights": "devices page",
	"GET /api/devices": "devices page", "GET /api/devices/:id": "devices page", "PATCH /api/devices/:id": "devices", "GET /api/not-understood": "devices page",
	"POST /api/devices/:id/commands": "commands", "GET /api/devices/:id/commands/:command_id": "commands", "POST /": "commands",
	"GET /api/models": "key", "GET /api/models/:name": "key", "GET /api/session": "key", "GET /": "key", "GET /page/*": "key", "GET /docs": "key", "GET /openapi.yaml": "key",
	"GET /api/system": "metrics page", "GET /metrics": "metrics", "GET /api/outbox": "", "POST /api/outbox/retry": "",
	"DELETE /api/results": "", "DELETE /api/results/:id": "", "POST /api/restore/release": "",
	"GET /healthz": "open", "GET /readyz": "open", "GET /login": "open", "GET /login/login.css": "open", "POST /login": "open", "POST /logout": "open",
}

// Every route of the description and of the server is in the table, and nothing else.
func TestEveryRouteHasRule(t *testing.T) {
	rules, registered := api.Rules(), newGuarded(t, nil).built.Registered()
	for name := range registered {
		if _, listed := rules[name]; !listed {
			t.Errorf("%s has no rule: add it to the table in scopes.go", name)
		}
	}
	for name, open := range rules {
		if !registered[name] {
			t.Errorf("there is no route %s", name)
		}
		scopes, listed := wanted[name]
		if !listed || open != (scopes == "open") {
			t.Errorf("%s is open: %v; this test has %q", name, open, scopes)
		}
	}
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			name := method + " " + strings.NewReplacer("{", ":", "}", "").Replace(path)
			open, listed := rules[name]
			if !listed {
				t.Errorf("%s is in openapi.yaml and has no rule", name)
			}
			// Where a key is needed, the description has the answer without one.
			without := operation.Security != nil && len(*operation.Security) == 0
			if without != open || (operation.Responses.Status(401) == nil) != open {
				t.Errorf("%s is open: %v; openapi.yaml has another security, or no 401", name, open)
			}
		}
	}
}

// target is a request to a route.
func target(name string) *http.Request {
	method, path, _ := strings.Cut(name, " ")
	path = strings.NewReplacer(":id/commands/:command_id", "new/commands/"+commandID, "devices/:id", "devices/new", ":id", jobID, ":name", "m").Replace(path)
	if path == "/api/events" {
		method = http.MethodHead // it would not end
	}
	return request(method, path, "", nil)
}

func TestEveryRouteNeedsItsScope(t *testing.T) {
	g := newGuarded(t, nil)
	tokens := map[edgelens.Scope]string{}
	for _, scope := range edgelens.Scopes() {
		tokens[scope] = g.token(scoped(scope))
	}
	wrong := tokens[edgelens.ScopeAdmin][:60] + "aaaaa"
	for name, scopes := range wanted {
		t.Run(name, func(t *testing.T) {
			for what, r := range map[string]*http.Request{"no key": target(name), "a wrong key": bearing(wrong, target(name))} {
				w := g.plain(r)
				if scopes == "open" {
					if w.Code == 401 && name != "POST /login" || w.Code == 403 {
						t.Errorf("%s: %d", what, w.Code)
					}
					continue
				}
				if w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Bearer realm="edgelens"` || r.Method != "HEAD" && !strings.Contains(w.Body.String(), `"unauthorized"`) {
					t.Errorf("%s: %d %v %s", what, w.Code, w.Header(), w.Body)
				}
			}
			for _, scope := range edgelens.Scopes() {
				w := g.plain(bearing(tokens[scope], target(name)))
				permitted := scopes == "open" || scopes == "key" || scope == edgelens.ScopeAdmin || slices.Contains(strings.Fields(scopes), string(scope))
				refused := w.Code == 403 || w.Code == 401 && name != "POST /login"
				if refused == permitted {
					t.Errorf("with the scope %s: %d %s", scope, w.Code, w.Body)
				}
			}
		})
	}
}

// plain sends a request, whose answer may be that of a fake which panics.
func (g *guarded) plain(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// Another machine sees nothing but what stands open.
func TestNothingElseIsOpen(t *testing.T) {
	g := newGuarded(t, nil)
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/login": 200, "/.well-known/security.txt": 404, "/.well-known": 401, "/.well-known/../api/jobs": 404, "/.well-knowns/x": 401,
		"/cats": 401, "/api": 401, "/api/": 401, "//": 401, "/metrics/": 401, "/docs/": 401, "/api/recognize": 401, "/%2e": 401, "/login/x": 401, "/healthz/x": 401,
	} {
		if w := g.plain(request("GET", path, "", nil)); w.Code != want {
			t.Errorf("%s: %d, want %d: %s", path, w.Code, want, w.Body)
		}
	}
	for _, method := range []string{"PUT", "OPTIONS", "TRACE", "CONNECT", "BREW", "DELETE"} {
		if w := g.plain(request(method, "/api/models", "", nil)); w.Code != 401 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	if w := g.plain(bearing(g.token(scoped(edgelens.ScopeMetrics)), request("GET", "/cats", "", nil))); w.Code != 404 {
		t.Errorf("with a key, a path that does not exist: %d", w.Code)
	}
}

func TestReasonsOfReadinessNeedKey(t *testing.T) {
	g := newGuarded(t, nil)
	for name, c := range map[string]struct {
		request *http.Request
		reasons bool
	}{
		"no key":       {request("GET", "/readyz", "", nil), false},
		"wrong key":    {bearing("elk_", request("GET", "/readyz", "", nil)), false},
		"other key":    {bearing(g.token(scoped(edgelens.ScopeJobs)), request("GET", "/readyz", "", nil)), false},
		"metrics":      {bearing(g.token(scoped(edgelens.ScopeMetrics)), request("GET", "/readyz", "", nil)), true},
		"page":         {bearing(g.token(scoped(edgelens.ScopePage)), request("GET", "/readyz", "", nil)), true},
		"this machine": {local("127.0.0.1:1", "127.0.0.1:8080", request("GET", "/readyz", "", nil)), false}, // there are keys
	} {
		w := g.do(c.request)
		if w.Code != 200 || !strings.Contains(w.Body.String(), "degraded") || strings.Contains(w.Body.String(), "behind") != c.reasons {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
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

func TestAsyncRecognitionNeedsJobs(t *testing.T) {
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Queue = &jobs{} })
	for scope, want := range map[edgelens.Scope]int{edgelens.ScopeRecognize: 403, edgelens.ScopeJobs: 202} {
		r := bearing(g.token(scoped(scope)), formRequest("/api/recognize", "file", []byte(anImage)))
		r.Header.Set("Prefer", "respond-async")
		if w := g.do(r); w.Code != want {
			t.Errorf("%s: %d, want %d", scope, w.Code, want)
		}
	}
}

func TestJobsHaveOwner(t *testing.T) {
	queue := &jobs{}
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Queue = queue })
	key, token, err := g.keys.CreateKey(t.Context(), edgelens.Key{Name: "app", Scopes: []edgelens.Scope{edgelens.ScopeJobs}})
	if err != nil {
		t.Fatal(err)
	}
	if w := g.do(bearing(token, formRequest("/api/recognize_async", "file", []byte(anImage)))); w.Code != 202 || queue.spec.Owner != key.ID {
		t.Errorf("%d, owner %q, want %q", w.Code, queue.spec.Owner, key.ID)
	}
}

func TestKeyOfModels(t *testing.T) {
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Queue = &jobs{} })
	bound := func(name string, models ...string) string {
		return g.token(edgelens.Key{Name: name, Scopes: []edgelens.Scope{edgelens.ScopeRecognize, edgelens.ScopeJobs}, Models: models})
	}
	other, fit := bound("other", "known"), bound("fit", "m", "known")
	for name, c := range map[string]struct {
		token, target string
		want          int
	}{
		"the default, bounded":   {fit, "/api/recognize", 200},
		"by name":                {other, "/api/recognize?model=known", 200},
		"another default":        {other, "/api/recognize", 403},
		"another":                {other, "/api/recognize?model=m", 403},
		"one that does not exit": {other, "/api/recognize?model=none", 403},
		"a job":                  {other, "/api/recognize_async?model=known", 202},
		"a job, another":         {other, "/api/recognize_async?model=m", 403},
		"a job, another default": {other, "/api/recognize_async", 403},
	} {
		if w := g.do(bearing(c.token, formRequest(c.target, "file", []byte(anImage)))); w.Code != c.want {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
	}
	if w := g.do(bearing(other, request("GET", "/api/models", "", nil))); strings.Count(w.Body.String(), `"digest"`) != 1 || !strings.Contains(w.Body.String(), `"name":"known"`) {
		t.Errorf("the list: %s", w.Body)
	}
	for model, want := range map[string]int{"known": 200, "m": 404, "none": 404} {
		if w := g.do(bearing(other, request("GET", "/api/models/"+model, "", nil))); w.Code != want {
			t.Errorf("%s: %d, want %d", model, w.Code, want)
		}
	}
}

func TestKeyOfDevices(t *testing.T) {
	doors := &devices{}
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Devices = doors })
	scopes := []edgelens.Scope{edgelens.ScopeDevices, edgelens.ScopeCommands}
	ofDoor := g.token(edgelens.Key{Name: "door", Scopes: scopes, Devices: []string{door}})
	ofNew := g.token(edgelens.Key{Name: "new", Scopes: scopes, Devices: []string{"new"}})
	open := func() io.Reader { return strings.NewReader(`{"cmd":"open"}`) }
	for name, c := range map[string]struct {
		token   string
		request *http.Request
		want    int
	}{
		"its device":                  {ofNew, request("GET", "/api/devices/new", "", nil), 200},
		"another":                     {ofNew, request("GET", "/api/devices/"+door, "", nil), 403},
		"one that does not exist":     {ofNew, request("GET", "/api/devices/none", "", nil), 403},
		"a change":                    {ofNew, request("PATCH", "/api/devices/new", "", strings.NewReader(`{"state":"accepted"}`)), 200},
		"a change of another":         {ofNew, request("PATCH", "/api/devices/"+door, "", strings.NewReader(`{"state":"accepted"}`)), 403},
		"a command":                   {ofNew, request("POST", "/api/devices/new/commands", "", open()), 202},
		"a command for another":       {ofNew, request("POST", "/api/devices/"+door+"/commands", "", open()), 403},
		"the default device":          {ofDoor, request("POST", "/", "", open()), 200},
		"the default is another":      {ofNew, request("POST", "/", "", open()), 403},
		"the state of a command":      {ofDoor, request("GET", "/api/devices/"+door+"/commands/"+commandID, "", nil), 200},
		"that of another's command":   {ofNew, request("GET", "/api/devices/"+door+"/commands/"+commandID, "", nil), 403},
		"another's by the own device": {ofNew, request("GET", "/api/devices/new/commands/"+commandID, "", nil), 404},
	} {
		before := len(doors.sent) + len(doors.changes)
		w := g.do(bearing(c.token, c.request))
		if w.Code != c.want || c.want == 403 && len(doors.sent)+len(doors.changes) != before {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.want, w.Body)
		}
	}
	if w := g.do(bearing(ofNew, request("GET", "/api/devices", "", nil))); !strings.Contains(w.Body.String(), `"id":"new"`) || strings.Contains(w.Body.String(), door) {
		t.Errorf("the list: %s", w.Body)
	}
	if w := g.do(bearing(ofNew, request("GET", "/api/not-understood", "", nil))); !strings.Contains(w.Body.String(), `"not_understood":[]`) {
		t.Errorf("not understood: %s", w.Body)
	}
	if w := g.do(bearing(ofDoor, request("GET", "/api/not-understood", "", nil))); strings.Count(w.Body.String(), `"topic"`) != 1 {
		t.Errorf("not understood: %s", w.Body)
	}
}

// What another client owns is as if it did not exist.
func TestOwnership(t *testing.T) {
	all := []edgelens.Scope{edgelens.ScopeJobs, edgelens.ScopeResults}
	for name, c := range map[string]struct {
		key           edgelens.Key
		device        string
		others        bool // the job is of another client
		sees, cancels bool
	}{
		"own":                    {edgelens.Key{Scopes: all}, "", false, true, true},
		"another's":              {edgelens.Key{Scopes: all}, "", true, false, false},
		"sees all":               {edgelens.Key{Scopes: all, SeeAll: true}, "", true, true, false},
		"admin":                  {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeAdmin}}, "", true, true, true},
		"of a device":            {edgelens.Key{Scopes: all}, "door", true, false, false},
		"of its device":          {edgelens.Key{Scopes: all, Devices: []string{"door"}}, "door", true, true, false},
		"of another device":      {edgelens.Key{Scopes: all, Devices: []string{"gate"}}, "door", true, false, false},
		"a page that sees all":   {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopePage}, SeeAll: true}, "", true, true, false},
		"a page that sees a few": {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopePage}}, "", true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			owned := &ownedJobs{device: c.device}
			past := &history{}
			g := newGuarded(t, func(_ *api.Config, p *api.Parts) {
				p.Jobs, p.Queue, p.History, p.Images = owned, owned, past, images{jobID: anImage}
			})
			c.key.Name = "client"
			key, token, err := g.keys.CreateKey(t.Context(), c.key)
			if err != nil {
				t.Fatal(err)
			}
			owned.owner = key.ID
			if c.others {
				owned.owner = "aaaaaaaa"
			}
			past.results = []edgelens.StoredResult{{ID: resultID, JobID: jobID, Owner: owned.owner, Device: c.device, Outcome: edgelens.OutcomeError, CreatedAt: morning}}
			want := map[bool]int{true: 200, false: 404}[c.sees]
			for _, path := range []string{"/api/jobs/" + jobID, "/api/jobs/" + jobID + "?wait=1s", "/api/results/" + resultID, "/api/results/" + resultID + "/image"} {
				w := g.do(bearing(token, request("GET", path, "", nil)))
				if w.Code != want {
					t.Errorf("%s: %d, want %d", path, w.Code, want)
				}
			}
			// The texts do not tell it from what is missing.
			if !c.sees {
				const none = "0197a000-0000-7000-8000-0000000000ff"
				hidden := problem(t, g.do(bearing(token, request("GET", "/api/jobs/"+jobID, "", nil))))["detail"]
				missing := problem(t, g.do(bearing(token, request("GET", "/api/jobs/"+none, "", nil))))["detail"]
				if strings.ReplaceAll(fmt.Sprint(missing), none, jobID) != hidden {
					t.Errorf("%q and %q", hidden, missing)
				}
			}
			w := g.do(bearing(token, request("DELETE", "/api/jobs/"+jobID, "", nil)))
			if (w.Code == 200) != c.cancels || (owned.canceled == 1) != c.cancels || !c.sees && key.May(edgelens.ScopeJobs) && w.Code != 404 {
				t.Errorf("cancel: %d, %d canceled", w.Code, owned.canceled)
			}
			g.do(bearing(token, request("GET", "/api/jobs", "", nil)))
			g.do(bearing(token, request("GET", "/api/results", "", nil)))
			for _, visible := range []*edgelens.Visibility{owned.filter.Visible, past.filter.Visible} {
				if (visible == nil) != (key.Visible() == nil) || visible != nil && visible.Owner != key.ID {
					t.Errorf("the lists are of %+v", visible)
				}
			}
		})
	}
}

// ownedEvents are events of which some are of the owner "OWN". A stream of them ends behind the last.
type ownedEvents struct {
	owner string
	all   []edgelens.Event
}

func (e *ownedEvents) Events(_ context.Context, after int64, _ int) ([]edgelens.Event, error) {
	if after >= int64(len(e.all)) {
		return nil, errors.New("there are no more")
	}
	page := slices.Clone(e.all[after:])
	for i := range page {
		if page[i].Owner == "OWN" {
			page[i].Owner = e.owner
		}
	}
	return page, nil
}

func (e *ownedEvents) LastEvent(context.Context) (int64, error) { return int64(len(e.all)), nil }

func (e *ownedEvents) Subscribe() (wake <-chan struct{}, cancel func()) {
	more := make(chan struct{}, 1)
	more <- struct{}{}
	return more, func() {}
}

// stream opens the stream of all events.
func stream(t *testing.T, base, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", "0")
	response, err := http.DefaultClient.Do(bearing(token, r))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	return response
}

// Events are those of the jobs, results and devices that a client may see, and of the scopes it has.
func TestEventsAreFiltered(t *testing.T) {
	events := &ownedEvents{all: []edgelens.Event{
		{Seq: 1, Type: "job", Owner: "OWN", Data: []byte("own job")}, {Seq: 2, Type: "recognition", Owner: "OWN", Data: []byte("own result")},
		{Seq: 3, Type: "job", Owner: "aaaaaaaa", Data: []byte("other job")}, {Seq: 4, Type: "recognition", Data: []byte("no owner")},
		{Seq: 5, Type: "recognition", Device: "door", Data: []byte("of the door")}, {Seq: 6, Type: "device", Device: "door", Data: []byte("the door")},
		{Seq: 7, Type: "device", Device: "gate", Data: []byte("the gate")}, {Seq: 8, Type: "tomorrow", Device: "door", Data: []byte("unknown")},
	}}
	g := newGuarded(t, func(_ *api.Config, p *api.Parts) { p.Events = events })
	web := httptest.NewServer(g)
	defer web.Close()
	for name, c := range map[string]struct {
		key  edgelens.Key
		want string
	}{
		"jobs":     {scoped(edgelens.ScopeJobs), "own job"},
		"results":  {scoped(edgelens.ScopeResults), "own result"},
		"page":     {scoped(edgelens.ScopePage), "own job,own result"},
		"a device": {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopePage}, Devices: []string{"door"}}, "own job,own result,of the door,the door"},
		"devices":  {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeDevices}, SeeAll: true}, "the door,the gate"},
		"sees all": {edgelens.Key{Scopes: []edgelens.Scope{edgelens.ScopeJobs}, SeeAll: true}, "own job,other job"},
		"admin":    {scoped(edgelens.ScopeAdmin), "own job,own result,other job,no owner,of the door,the door,the gate,unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			c.key.Name = name
			key, token, err := g.keys.CreateKey(t.Context(), c.key)
			if err != nil {
				t.Fatal(err)
			}
			events.owner = key.ID
			body, err := io.ReadAll(stream(t, web.URL, token).Body)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(string(body)) {
				if data, ok := strings.CutPrefix(line, "data: "); ok {
					got = append(got, strings.TrimSpace(data))
				}
			}
			if strings.Join(got, ",") != c.want {
				t.Errorf("%q, want %q", strings.Join(got, ","), c.want)
			}
		})
	}
}

// The stream of a key ends within seconds of its revocation.
func TestStreamEndsWithItsKey(t *testing.T) {
	testutil.SkipIfShort(t, "keys of streams are checked every two seconds")
	g := newGuarded(t, nil)
	web := httptest.NewServer(g)
	defer web.Close()
	open := stream(t, web.URL, g.token(edgelens.Key{Name: "kept", Scopes: edgelens.Scopes()}))
	ended := stream(t, web.URL, g.token(edgelens.Key{Name: "revoked", Scopes: edgelens.Scopes()}))
	if _, err := g.keys.RevokeKey(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(ended.Body); err != nil {
		t.Fatal(err)
	}
	still := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(open.Body)
		still <- err
	}()
	select {
	case err := <-still:
		t.Errorf("the other stream ended, too: %v", err)
	default:
	}
	_ = open.Body.Close()
	<-still

	// As does one that needed no key, once there is one.
	g = newGuarded(t, nil)
	local := httptest.NewServer(g)
	defer local.Close()
	without := stream(t, local.URL, "")
	g.token(edgelens.Key{Name: "first", Scopes: edgelens.Scopes()})
	if _, err := io.ReadAll(without.Body); err != nil {
		t.Fatal(err)
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
