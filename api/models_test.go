package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"edgelens"
	"edgelens/api"
)

// Load and Unload of modelList do nothing.
func (m modelList) Load(context.Context, string) error   { return nil }
func (m modelList) Unload(context.Context, string) error { return nil }

// loader changes the state of its models, or returns err.
type loader struct {
	err    error
	states map[string]edgelens.ModelState
	ctx    context.Context
}

func (l *loader) List() []edgelens.Model {
	return []edgelens.Model{
		{ModelRef: edgelens.ModelRef{Name: "big"}, State: l.states["big"], Task: "classification", Delegate: "none"},
		{ModelRef: edgelens.ModelRef{Name: "first"}, State: edgelens.ModelReady, Default: true, Task: "classification", Delegate: "none"},
	}
}

func (l *loader) Load(ctx context.Context, name string) error {
	l.ctx = ctx
	if l.err == nil {
		l.states[name] = edgelens.ModelReady
	}
	return l.err
}

func (l *loader) Unload(_ context.Context, name string) error {
	if name == "first" {
		return fmt.Errorf("%w: first is the default model", edgelens.ErrConflict)
	}
	if l.err == nil {
		l.states[name] = edgelens.ModelAvailable
	}
	return l.err
}

func TestLoadAndUnloadModel(t *testing.T) {
	l := &loader{states: map[string]edgelens.ModelState{"big": edgelens.ModelAvailable}}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Models = l })
	for _, c := range []struct{ path, state string }{{"load", "ready"}, {"load", "ready"}, {"unload", "available"}, {"unload", "available"}} {
		w := s.do(request("POST", "/api/models/big/"+c.path, "", nil))
		if got := decoded(t, w); w.Code != 200 || got["state"] != c.state || got["name"] != "big" {
			t.Errorf("%s: %d %v, want %s", c.path, w.Code, got, c.state)
		}
	}
}

func TestBadModelRequests(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		request *http.Request
		status  int
		code    string
		want    string
	}{
		"default model":              {nil, request("POST", "/api/models/first/unload", "", nil), 409, "conflict", "default model"},
		"unknown, load":              {nil, request("POST", "/api/models/nope/load", "", nil), 404, "unknown_model", "/api/models"},
		"unknown, unload":            {nil, request("POST", "/api/models/nope/unload", "", nil), 404, "unknown_model", "/api/models"},
		"path tricks":                {nil, request("POST", "/api/models/..%2f..%2fx/load", "", nil), 404, "unknown_model", ""},
		"cannot be loaded":           {fmt.Errorf("%w: it has no output", edgelens.ErrModel), request("POST", "/api/models/big/load", "", nil), 500, "model_unusable", "no output"},
		"not there":                  {fmt.Errorf("%w: fetch it with edgelens model pull", edgelens.ErrNoModel), request("POST", "/api/models/big/load", "", nil), 503, "no_model", "model pull"},
		"a run does not end":         {fmt.Errorf("close: %w", edgelens.ErrDeadline), request("POST", "/api/models/big/unload", "", nil), 504, "deadline", ""},
		"a page of another site":     {nil, foreign("POST", "/api/models/big/load"), 403, "forbidden", "page"},
		"its attempt to unload":      {nil, foreign("POST", "/api/models/big/unload"), 403, "forbidden", "page"},
		"a link, which is no change": {nil, request("GET", "/api/models/big/load", "", nil), 405, "method_not_allowed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := &loader{err: c.err, states: map[string]edgelens.ModelState{"big": edgelens.ModelAvailable}}
			s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Models = l })
			w := s.do(c.request)
			if p := problem(t, w); w.Code != c.status || p["code"] != c.code || !strings.Contains(p["detail"].(string), c.want) {
				t.Errorf("got %d %v, want %d %s with %q", w.Code, p, c.status, c.code, c.want)
			}
			if l.states["big"] != edgelens.ModelAvailable {
				t.Errorf("the model is %s", l.states["big"])
			}
		})
	}
}
