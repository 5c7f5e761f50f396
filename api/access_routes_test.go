package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"edgelens"
	"edgelens/api"
)

// wanted are the scopes that each route needs, any of them; "open" for none, "key" for any key.
var wanted = map[string]string{
	"POST /api/recognize": "recognize", "POST /api/recognize_cached": "recognize", "POST /api/recognize_async": "jobs", "POST /api/similar": "recognize",
	"GET /api/jobs": "jobs page", "GET /api/jobs/:id": "jobs page", "DELETE /api/jobs/:id": "jobs",
	"GET /api/results/export": "results page", "GET /api/devices/:id/records": "devices page", "DELETE /api/devices/:id": "devices",
	"POST /api/models/:name/load": "", "POST /api/models/:name/unload": "", "GET /api/activity": "metrics page", "GET /api/settings": "page",
	"GET /docs/docs.css": "key", "GET /docs/docs.js": "key", "GET /docs/runbook": "key",
	"GET /api/results": "results page", "GET /api/results/:id": "results page", "GET /api/results/:id/image": "results page", "GET /api/results/:id/similar": "results page", "GET /api/events": "jobs results devices page",
	"GET /api/sensors": "devices page", "GET /api/sensors/:id/points": "devices page", "GET /api/sensors/stream": "devices page", "GET /api/insights": "devices page",
	"GET /api/states": "devices page", "GET /api/states/:name": "devices page", "POST /api/states/:name/images": "devices", "DELETE /api/states/:name": "",
	"GET /api/devices": "devices page", "GET /api/devices/:id": "devices page", "PATCH /api/devices/:id": "devices", "GET /api/not-understood": "devices page",
	"GET /api/devices/:id/commands": "commands", "POST /api/devices/:id/commands": "commands", "GET /api/devices/:id/commands/:command_id": "commands", "POST /": "commands",
	"GET /api/datasets": "learn page", "GET /api/datasets/:name": "learn page", "DELETE /api/datasets/:name": "learn", "POST /api/datasets/:name/embed": "learn",
	"GET /api/datasets/:name/examples": "learn page", "POST /api/datasets/:name/examples": "learn", "PATCH /api/datasets/:name/examples/:id": "learn",
	"DELETE /api/datasets/:name/examples/:id": "learn", "GET /api/datasets/:name/examples/:id/image": "learn page",
	"GET /api/federation": "learn", "GET /api/heads": "learn", "GET /api/heads/:name": "learn", "DELETE /api/heads/:name": "learn", "POST /api/heads/:name/train": "learn", "POST /api/heads/:name/rollback": "learn",
	"GET /api/models": "key", "GET /api/models/:name": "key", "GET /api/session": "key", "GET /": "key", "GET /page/*": "key", "GET /docs": "key", "GET /openapi.yaml": "key",
	"GET /api/system": "metrics page", "GET /api/ledger": "metrics page", "GET /metrics": "metrics", "GET /api/outbox": "", "POST /api/outbox/retry": "",
	"DELETE /api/sensors": "", "DELETE /api/sensors/:id": "", "DELETE /api/results": "", "DELETE /api/results/:id": "", "POST /api/restore/release": "",
	"GET /api/devices/:id/chain": "results page", "GET /.well-known/jwks.json": "open",
	"GET /healthz": "open", "GET /readyz": "open", "GET /login": "open", "GET /login/login.css": "open", "POST /login": "open", "POST /logout": "open",
	"POST /api/enroll": "open", "POST /api/enroll/renew": "open", "GET /.well-known/edgelens/ca.pem": "open", "GET /.well-known/edgelens/crl.der": "open", "GET /.well-known/edgelens/crl.pem": "open",
}

// needsOther are the routes that need no key but something else, without which they answer 401.
var needsOther = map[string]bool{"POST /login": true, "POST /api/enroll": true, "POST /api/enroll/renew": true}

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
			// Where a key is needed, the description has the answer without one; and where it is sent as a form.
			without := operation.Security != nil && len(*operation.Security) == 0
			if without != open || (operation.Responses.Status(401) == nil) != (open && !needsOther[name]) {
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
					if w.Code == 401 && !needsOther[name] || w.Code == 403 {
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
				refused := w.Code == 403 || w.Code == 401 && !needsOther[name]
				if refused == permitted {
					t.Errorf("with the scope %s: %d %s", scope, w.Code, w.Body)
				}
			}
		})
	}
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
