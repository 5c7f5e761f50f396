package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"edgelens"
)

// rule is who may use a route.
type rule struct {
	// open: everyone, without a key.
	open bool
	// key: every key.
	key bool
	// scopes: a key with any of them.
	scopes []edgelens.Scope
}

var (
	open      = rule{open: true}
	anyKey    = rule{key: true}
	adminOnly = with(edgelens.ScopeAdmin)
)

func with(scopes ...edgelens.Scope) rule { return rule{scopes: scopes} }

// permits reports whether the key may use the route.
func (r rule) permits(key edgelens.Key) bool {
	return r.open || r.key || slices.ContainsFunc(r.scopes, key.May)
}

// needs describes what the route needs, for the log and for clients.
func (r rule) needs() string {
	if len(r.scopes) == 0 {
		return "a key"
	}
	names := make([]string, len(r.scopes))
	for i, scope := range r.scopes {
		names[i] = string(scope)
	}
	return strings.Join(names, " or ")
}

// rules is the one table from routes to scopes. A route that is not in it needs ScopeAdmin.
var rules = map[string]rule{
	"POST /api/recognize":        with(edgelens.ScopeRecognize),
	"POST /api/recognize_cached": with(edgelens.ScopeRecognize),
	"POST /api/recognize_async":  with(edgelens.ScopeJobs),
	"POST /api/similar":          with(edgelens.ScopeRecognize), // and those of results

	"GET /api/jobs":                with(edgelens.ScopeJobs, edgelens.ScopePage),
	"GET /api/jobs/:id":            with(edgelens.ScopeJobs, edgelens.ScopePage),
	"DELETE /api/jobs/:id":         with(edgelens.ScopeJobs),
	"POST /api/restore/release":    adminOnly,
	"GET /api/results":             with(edgelens.ScopeResults, edgelens.ScopePage),
	"GET /api/results/export":      with(edgelens.ScopeResults, edgelens.ScopePage),
	"GET /api/results/:id":         with(edgelens.ScopeResults, edgelens.ScopePage),
	"GET /api/results/:id/image":   with(edgelens.ScopeResults, edgelens.ScopePage),
	"GET /api/results/:id/similar": with(edgelens.ScopeResults, edgelens.ScopePage),
	"DELETE /api/results":          adminOnly,
	"DELETE /api/results/:id":      adminOnly,
	"GET /api/events":              with(edgelens.ScopeJobs, edgelens.ScopeResults, edgelens.ScopeDevices, edgelens.ScopePage),

	"GET /api/devices":                          with(edgelens.ScopeDevices, edgelens.ScopePage),
	"GET /api/devices/:id":                      with(edgelens.ScopeDevices, edgelens.ScopePage),
	"PATCH /api/devices/:id":                    with(edgelens.ScopeDevices),
	"DELETE /api/devices/:id":                   with(edgelens.ScopeDevices),
	"GET /api/devices/:id/records":              with(edgelens.ScopeDevices, edgelens.ScopePage),
	"GET /api/devices/:id/chain":                with(edgelens.ScopeResults, edgelens.ScopePage),
	"GET /api/not-understood":                   with(edgelens.ScopeDevices, edgelens.ScopePage),
	"GET /api/devices/:id/commands":             with(edgelens.ScopeCommands),
	"POST /api/devices/:id/commands":            with(edgelens.ScopeCommands),
	"GET /api/devices/:id/commands/:command_id": with(edgelens.ScopeCommands),
	"POST /": with(edgelens.ScopeCommands),

	"GET /api/sensors":            with(edgelens.ScopeDevices, edgelens.ScopePage),
	"DELETE /api/sensors":         adminOnly,
	"DELETE /api/sensors/:id":     adminOnly,
	"GET /api/sensors/:id/points": with(edgelens.ScopeDevices, edgelens.ScopePage),
	"GET /api/sensors/stream":     with(edgelens.ScopeDevices, edgelens.ScopePage),
	"GET /api/insights":           with(edgelens.ScopeDevices, edgelens.ScopePage),

	"GET /api/datasets":                          with(edgelens.ScopeLearn, edgelens.ScopePage),
	"GET /api/datasets/:name":                    with(edgelens.ScopeLearn, edgelens.ScopePage),
	"DELETE /api/datasets/:name":                 with(edgelens.ScopeLearn),
	"POST /api/datasets/:name/embed":             with(edgelens.ScopeLearn),
	"GET /api/datasets/:name/examples":           with(edgelens.ScopeLearn, edgelens.ScopePage),
	"POST /api/datasets/:name/examples":          with(edgelens.ScopeLearn),
	"PATCH /api/datasets/:name/examples/:id":     with(edgelens.ScopeLearn),
	"DELETE /api/datasets/:name/examples/:id":    with(edgelens.ScopeLearn),
	"GET /api/datasets/:name/examples/:id/image": with(edgelens.ScopeLearn, edgelens.ScopePage),

	"GET /api/models":                anyKey,
	"GET /api/models/:name":          anyKey,
	"POST /api/models/:name/load":    adminOnly,
	"POST /api/models/:name/unload":  adminOnly,
	"GET /api/federation":            with(edgelens.ScopeLearn),
	"GET /api/session":               anyKey,
	"GET /":                          anyKey,
	"GET /page/*":                    anyKey,
	"GET /docs":                      anyKey,
	"GET /docs/docs.css":             anyKey,
	"GET /docs/runbook":              anyKey,
	"GET /docs/docs.js":              anyKey,
	"GET /openapi.yaml":              anyKey,
	"GET /api/activity":              with(edgelens.ScopeMetrics, edgelens.ScopePage),
	"GET /api/settings":              with(edgelens.ScopePage),
	"GET /api/system":                with(edgelens.ScopeMetrics, edgelens.ScopePage),
	"GET /api/ledger":                with(edgelens.ScopeMetrics, edgelens.ScopePage),
	"GET /metrics":                   with(edgelens.ScopeMetrics),
	"GET /api/outbox":                adminOnly,
	"POST /api/outbox/retry":         adminOnly,
	"GET /api/heads":                 with(edgelens.ScopeLearn),
	"GET /api/heads/:name":           with(edgelens.ScopeLearn),
	"DELETE /api/heads/:name":        with(edgelens.ScopeLearn),
	"POST /api/heads/:name/train":    with(edgelens.ScopeLearn),
	"POST /api/heads/:name/rollback": with(edgelens.ScopeLearn),
	"GET /api/states":                with(edgelens.ScopeDevices, edgelens.ScopePage),
	"GET /api/states/:name":          with(edgelens.ScopeDevices, edgelens.ScopePage),
	"POST /api/states/:name/images":  with(edgelens.ScopeDevices),
	"DELETE /api/states/:name":       adminOnly,

	"GET /healthz":         open,
	"GET /readyz":          open, // its reasons need a key
	"GET /login":           open,
	"GET /login/login.css": open,
	"POST /login":          open,
	"POST /logout":         open, // it needs the session's token

	"POST /api/enroll":           open, // it needs a token
	"POST /api/enroll/renew":     open, // it needs a certificate
	"GET " + authorityPEM:        open,
	"GET " + revocationsDER:      open,
	"GET " + revocationsPEM:      open,
	"GET /.well-known/jwks.json": open,
}

// eventScopes are the scopes for events by their type. An event of another type needs ScopeAdmin.
var eventScopes = map[string]rule{
	"job":         with(edgelens.ScopeJobs, edgelens.ScopePage),
	"recognition": with(edgelens.ScopeResults, edgelens.ScopePage),
	"insight":     with(edgelens.ScopeDevices, edgelens.ScopePage),
	"state":       with(edgelens.ScopeDevices, edgelens.ScopePage),
	"device":      with(edgelens.ScopeDevices, edgelens.ScopePage),
}

// mayFollow reports whether the key may see an event.
func mayFollow(key edgelens.Key, e edgelens.Event) bool {
	needed, known := eventScopes[e.Type]
	if !known {
		needed = adminOnly
	}
	return needed.permits(key) && key.MaySee(e.Owner, e.Device)
}

// ruleOf returns the rule of a request.
func (s *Server) ruleOf(c echo.Context) rule {
	r := c.Request()
	name := r.Method + " " + route(c)
	if strings.HasPrefix(name, "POST /api/recognize") && readPreferences(r.Header).async {
		return rules["POST /api/recognize_async"]
	}
	found, listed := rules[name]
	switch {
	case listed:
		return found
	case s.registered[name]:
		return adminOnly
	case strings.HasPrefix(r.URL.Path, "/.well-known/"):
		return open // nothing else is there, which everyone may know
	default:
		return anyKey // nor here
	}
}

// registeredRoutes returns every route, as in rules.
func registeredRoutes(e *echo.Echo) map[string]bool {
	all := map[string]bool{}
	for _, one := range e.Routes() {
		if one.Method != http.MethodHead {
			all[one.Method+" "+one.Path] = true
		}
	}
	return all
}
