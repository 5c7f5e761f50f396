package api_test

import (
	"net/http"
	"strings"
	"testing"

	"edgelens/api"
)

const (
	dash  = "https://dash.example:8443"
	panel = "http://panel.example"
)

// newOpen lets dash read and panel send commands.
func newOpen(t *testing.T, edit func(*api.Config)) (*server, *devices) {
	d := &devices{}
	return newServer(t, func(c *api.Config, p *api.Parts) {
		c.AllowedOrigins, c.AllowedCommandOrigins = []string{"HTTPS://Dash.example:8443/"}, []string{"http://panel.example:80"}
		if edit != nil {
			edit(c)
		}
		p.Devices, p.Queue, p.Jobs, p.History = d, &jobs{}, &jobs{}, &history{}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
	}), d
}

func preflight(origin, method, target string) *http.Request {
	r := from(origin, request("OPTIONS", target, "", nil))
	r.Header.Set("Access-Control-Request-Method", method)
	r.Header.Set("Access-Control-Request-Headers", "content-type,prefer")
	r.Header.Set("Access-Control-Request-Private-Network", "true")
	return r
}

func TestAllowedOrigins(t *testing.T) {
	const commands = "/api/devices/" + door + "/commands"
	image := func(target string) *http.Request { return formRequest(target, "file", []byte(anImage)) }
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		allowed string
	}{
		"recognize":                      {from(dash, image("/api/recognize")), 200, dash},
		"recognize, a slash at the end":  {from(dash, image("/api/recognize/")), 200, dash},
		"a job":                          {from(dash, image("/api/recognize_async")), 202, dash},
		"results":                        {from(dash, request("GET", "/api/results", "", nil)), 200, dash},
		"an error":                       {from(dash, request("GET", "/api/results?x=y", "", nil)), 400, dash},
		"preflight":                      {preflight(dash, "POST", "/api/recognize"), 204, dash},
		"preflight of DELETE":            {preflight(dash, "DELETE", "/api/jobs/"+jobID), 204, dash},
		"preflight of events":            {preflight(dash, "GET", "/api/events"), 204, dash},
		"devices":                        {from(dash, request("GET", "/api/devices", "", nil)), 403, ""},
		"models":                         {from(dash, request("GET", "/api/models", "", nil)), 403, ""},
		"a command":                      {from(dash, request("POST", commands, "", strings.NewReader(`{"cmd":"open"}`))), 403, ""},
		"preflight of a command":         {preflight(dash, "POST", commands), 403, ""},
		"preflight of a change":          {preflight(dash, "PATCH", "/api/devices/"+door), 403, ""},
		"preflight of POST /":            {preflight(dash, "POST", "/"), 403, ""},
		"panel, devices":                 {from(panel, request("GET", "/api/devices", "", nil)), 200, panel},
		"panel, a command":               {from(panel, request("POST", commands, "", strings.NewReader(`{"cmd":"open"}`))), 202, panel},
		"panel, POST /":                  {from(panel, request("POST", "/", "", strings.NewReader(`{"cmd":"open"}`))), 200, panel},
		"panel, preflight of a change":   {preflight(panel, "PATCH", "/api/devices/"+door), 204, panel},
		"panel, results":                 {from(panel, request("GET", "/api/results", "", nil)), 403, ""},
		"another port":                   {from("https://dash.example", request("GET", "/api/results", "", nil)), 403, ""},
		"another scheme":                 {from("http://dash.example:8443", request("GET", "/api/results", "", nil)), 403, ""},
		"a name below":                   {from("https://x.dash.example:8443", request("GET", "/api/results", "", nil)), 403, ""},
		"a name with the same beginning": {from("https://dash.example:8443.evil.example", request("GET", "/api/results", "", nil)), 403, ""},
		"null":                           {from("null", request("GET", "/api/results", "", nil)), 403, ""},
		"a page of this machine":         {from("http://localhost:3000", request("GET", "/api/results", "", nil)), 200, ""},
		"its preflight":                  {preflight("http://localhost:3000", "POST", "/api/recognize"), 204, ""},
		"its command":                    {from("http://localhost:3000", request("POST", commands, "", strings.NewReader(`{"cmd":"open"}`))), 403, ""},
		"no page":                        {request("GET", "/api/results", "", nil), 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := newOpen(t, nil)
			w := s.do(c.request)
			h := w.Header()
			if w.Code != c.status || h.Get("Access-Control-Allow-Origin") != c.allowed || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("got %d %v: %s", w.Code, h, w.Body)
			}
			if c.allowed != "" && h.Get("Vary") != "Origin" {
				t.Errorf("Vary is %q", h.Get("Vary"))
			}
			if isPreflight := c.request.Method == "OPTIONS"; isPreflight && c.allowed != "" &&
				(!strings.Contains(h.Get("Access-Control-Allow-Methods"), c.request.Header.Get("Access-Control-Request-Method")) ||
					!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Prefer") || h.Get("Access-Control-Allow-Private-Network") != "true") {
				t.Errorf("preflight: %v", h)
			} else if !isPreflight && c.allowed != "" && !strings.Contains(h.Get("Access-Control-Expose-Headers"), "X-Request-Id") {
				t.Errorf("answer: %v", h)
			}
			if c.status == 403 && len(d.sent) > 0 {
				t.Errorf("%v was sent", d.sent)
			}
		})
	}
}

func TestAllOriginsAllowed(t *testing.T) {
	s, _ := newOpen(t, func(c *api.Config) { c.AllowedOrigins = []string{"*"} })
	for _, origin := range []string{"http://any.example", "null"} {
		if w := s.do(from(origin, request("GET", "/api/results", "", nil))); w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: got %d %v", origin, w.Code, w.Header())
		}
		if w := s.do(from(origin, request("POST", "/", "", strings.NewReader(`{}`)))); w.Code != 403 {
			t.Errorf("%s, a command: got %d", origin, w.Code)
		}
	}
	// A rebound name is rejected nevertheless.
	r := from("http://any.example", request("GET", "/api/results", "", nil))
	r.Host = "any.example"
	if w := s.do(r); w.Code != 421 {
		t.Errorf("got %d", w.Code)
	}
}

func TestOriginSettings(t *testing.T) {
	for _, bad := range []string{"dash.example", "https://dash.example/path", "https://user@dash.example", "ftp://dash.example", "https://", "null", "", "https://*.example", "https://dash.example?x"} {
		c := api.DefaultConfig()
		c.AllowedOrigins, c.AllowedCommandOrigins = []string{bad}, []string{bad}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "allowed_origins must") || !strings.Contains(err.Error(), "allowed_command_origins must") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	c := api.DefaultConfig()
	c.AllowedCommandOrigins = []string{"*"}
	if err := c.Validate(); err == nil {
		t.Error("every origin may send commands")
	}
}

func TestTrailingSlash(t *testing.T) {
	for target, want := range map[string]int{
		"POST /api/recognize/": 200, "GET /api/results/": 200, "GET /api/devices/" + door + "/": 200, "GET /api/devices/" + door + "///": 200, "GET /healthz/": 200, "GET /docs/": 200,
		"GET /api/devices/?state=accepted": 200, "GET /api/devices/24dc%3A07.A_b-1/": 200, "POST //": 404, "POST ///": 404, "GET /api//results": 404, "PUT /api/results/": 405,
	} {
		t.Run(target, func(t *testing.T) {
			s, d := newOpen(t, nil)
			method, path, _ := strings.Cut(target, " ")
			w := s.do(request(method, path, "image/jpeg", strings.NewReader(anImage)))
			if w.Code != want || len(d.sent) > 0 {
				t.Errorf("got %d %s, and %v was sent", w.Code, w.Body, d.sent)
			}
		})
	}
}

// The instance of a problem is the path as it was sent, escaped.
func TestInstances(t *testing.T) {
	for target, want := range map[string]string{
		"/api/models/a%20b%7Bc%7D": "/api/models/a%20b%7Bc%7D", "/api/models/x%0d%0ay": "/api/models/x%0d%0ay", "/api/cats/": "/api/cats/",
		"//evil.example/x": "/.//evil.example/x", "/api/models/..%2f..%2fetc": "/api/models/..%2f..%2fetc", "/api/models/%C3%A9": "/api/models/%C3%A9",
	} {
		s := newServer(t, nil)
		r := request("GET", "/", "", nil)
		u, err := r.URL.Parse("http://localhost" + target)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		r.URL.Host, r.URL.Scheme = "", ""
		w := s.do(r)
		if got := problem(t, w)["instance"]; got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
}
