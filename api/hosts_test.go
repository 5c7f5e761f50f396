package api_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"edgelens/api"
)

// hostRequest sends a server with these settings a request for /api/devices.
func hostRequest(t *testing.T, edit func(*api.Config), change func(*http.Request)) (*server, int) {
	t.Helper()
	s := newServer(t, func(c *api.Config, _ *api.Parts) {
		if edit != nil {
			edit(c)
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
	})
	r := request("GET", "/api/devices", "", nil)
	change(r)
	w := s.do(r)
	if w.Code != 200 {
		problem(t, w)
	}
	return s, w.Code
}

func TestHosts(t *testing.T) {
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	label, _, _ := strings.Cut(machine, ".")
	settings := func(c *api.Config) {
		c.Listen, c.PublicURL = "bound.example:8080", "https://Public.example:8443/cameras"
		c.AllowedHosts = []string{"edge.example", "UPPER.example.", "bücher.example"}
	}
	for host, want := range map[string]int{
		"127.0.0.1":                      200,
		"127.0.0.1:8080":                 200,
		"127.0.0.1.":                     200,
		"192.168.1.20:1":                 200,
		"203.0.113.9":                    200, // an address of a port forwarding: rebinding needs a name
		"[::1]":                          200,
		"[::1]:8080":                     200,
		"[::1]:":                         200,
		"::1":                            200,
		"[fe80::1%25eth0]:8080":          200,
		"[fe80::1%eth0]":                 200,
		"[::ffff:127.0.0.1]:80":          200,
		"localhost":                      200,
		"LocalHost:8080":                 200,
		"localhost.":                     200,
		"localhost:":                     200,
		"camera.localhost:8080":          200,
		machine:                          200,
		strings.ToUpper(label) + ":8080": 200,
		label + ".local":                 200,
		label + ".LOCAL.:8080":           200,
		"bound.example:8080":             200,
		"public.example":                 200,
		"PUBLIC.example.:1":              200,
		"edge.example:8080":              200,
		"upper.example":                  200,
		"xn--bcher-kva.example":          200,
		"evil.example":                   421,
		"evil.example:8080":              421,
		"localhost..":                    421,
		"localhost.evil.example":         421,
		"127.0.0.1.evil.example":         421,
		"evillocalhost":                  421,
		"sub.edge.example":               421,
		"edge.example.evil.example":      421,
		label + ".local.evil.example":    421,
		label + ".evil.example":          421,
		"localhost:80@evil.example":      421,
		"localhost@evil.example":         421,
		"evil.example@localhost":         421,
		"localhost:8080:80":              421,
		"localhost:http":                 421,
		":8080":                          421,
		"[::1]evil.example":              421,
		"[evil.example]":                 421,
		"[127.0.0.1]":                    421,
		"[v1.fe80::1]":                   421,
		"[::1":                           421,
		"2130706433":                     421, // browsers turn it into 127.0.0.1 first
		"127.1":                          421,
		"*":                              421,
		".":                              421,
		"":                               421,
	} {
		t.Run(host, func(t *testing.T) {
			if _, got := hostRequest(t, settings, func(r *http.Request) { r.Host = host }); got != want {
				t.Errorf("got %d, want %d", got, want)
			}
		})
	}
}

// HTTP/1.0 has no Host header, and browsers no longer use it.
func TestNoHostInHTTP10(t *testing.T) {
	if _, got := hostRequest(t, nil, func(r *http.Request) {
		r.Host, r.Proto, r.ProtoMajor, r.ProtoMinor = "", "HTTP/1.0", 1, 0
	}); got != 200 {
		t.Errorf("got %d", got)
	}
}

func TestOrigins(t *testing.T) {
	for origin, want := range map[string]int{
		"http://localhost:8080":         200,
		"http://LOCALHOST.:3000":        200,
		"https://192.168.1.9":           200,
		"http://[::1]:8080":             200,
		"http://evil.example":           403,
		"http://evil.example:8080":      403,
		"http://localhost.evil.example": 403,
		"http://localhost@evil.example": 403,
		"http://evil.example@localhost": 403,
		"chrome-extension://localhost":  403,
		"file://":                       403,
		"null":                          403,
		"":                              403,
		"localhost":                     403,
		"http://%zz":                    403,
	} {
		t.Run(origin, func(t *testing.T) {
			if _, got := hostRequest(t, nil, func(r *http.Request) { r.Header.Set("Origin", origin) }); got != want {
				t.Errorf("got %d, want %d", got, want)
			}
		})
	}
	if _, got := hostRequest(t, nil, func(r *http.Request) {
		r.Header["Origin"] = []string{"http://localhost", "http://evil.example"}
	}); got != 403 {
		t.Errorf("one origin of two: got %d", got)
	}
}

// All routes are protected except those for probes, and so are unknown
// paths.
func TestEveryRouteChecksTheHost(t *testing.T) {
	for target, want := range map[string]int{
		"GET /healthz": 200, "GET /readyz": 200, "GET /metrics": 200,
		"GET /": 421, "POST /": 421, "GET /docs": 421, "GET /openapi.yaml": 421, "GET /api/events": 421, "GET /api/models": 421, "GET /api/jobs": 421,
		"POST /api/recognize": 421, "POST /api/recognize_cached": 421, "POST /api/recognize_async": 421, "PATCH /api/devices/new": 421,
		"POST /api/devices/new/commands": 421, "GET /api/results/" + resultID + "/image": 421, "DELETE /api/jobs/" + jobID: 421,
		"GET /nowhere": 421, "OPTIONS /api/jobs": 421, "PUT /api/jobs": 421,
	} {
		t.Run(target, func(t *testing.T) {
			s, d := newDoors(t, nil)
			method, path, _ := strings.Cut(target, " ")
			r := request(method, path, "application/json", strings.NewReader(`{"cmd":"open","state":"accepted"}`))
			r.Host = "evil.example"
			if w := s.do(r); w.Code != want || len(d.sent) != 0 || d.state != "" {
				t.Errorf("got %d %s, and %+v was sent", w.Code, w.Body, d)
			} else if want == 421 {
				if p := problem(t, w); p["code"] != "misdirected_request" || !strings.Contains(p["detail"].(string), "http.allowed_hosts") {
					t.Errorf("got %v", p)
				}
			}
		})
	}
}

func TestAllHostsAllowed(t *testing.T) {
	s, got := hostRequest(t, func(c *api.Config) { c.AllowedHosts = []string{"*"} }, func(r *http.Request) {
		r.Host = "any.example"
		r.Header.Set("Origin", "http://any.example")
	})
	if got != 200 || !strings.Contains(s.log.String(), "level=WARN msg=\"Host header is not checked") {
		t.Errorf("got %d, the log: %s", got, s.log)
	}
}

func TestForwardedHeaders(t *testing.T) {
	settings := func(c *api.Config) {
		c.AllowedHosts, c.TrustedProxies = []string{"edge.example"}, []string{"192.0.2.1", "10.0.0.0/8", "fd00::/64"}
	}
	for name, c := range map[string]struct {
		remote, host string
		header       http.Header
		want         int
		client       string
	}{
		"untrusted client": {"192.0.2.9:1", "localhost", http.Header{"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-For": {"127.0.0.1"}}, 200, "192.0.2.9"},
		"untrusted client against the Host": {"192.0.2.9:1", "evil.example", http.Header{"X-Forwarded-Host": {"localhost"}, "Forwarded": {"host=localhost"},
			"X-Host": {"localhost"}, "X-Original-Host": {"localhost"}, "X-Forwarded-Server": {"localhost"}}, 421, "192.0.2.9"},
		"a proxy that keeps the Host":  {"192.0.2.1:1", "edge.example", http.Header{"X-Forwarded-For": {"198.51.100.7"}}, 200, "198.51.100.7"},
		"a proxy that changes it":      {"192.0.2.1:1", "backend:8080", http.Header{"X-Forwarded-Host": {"edge.example"}}, 200, "192.0.2.1"},
		"a proxy in a network":         {"10.9.8.7:1", "backend", http.Header{"X-Forwarded-Host": {"EDGE.example:443"}}, 200, "10.9.8.7"},
		"a proxy with IPv6":            {"[fd00::5]:1", "backend", http.Header{"Forwarded": {`for="[2001:db8::9]:4711";proto=https;host=edge.example`}}, 200, "2001:db8::9"},
		"a proxy with IPv4 in IPv6":    {"[::ffff:10.0.0.1]:1", "backend", http.Header{"X-Forwarded-Host": {"edge.example"}}, 200, "10.0.0.1"},
		"a proxy that names nothing":   {"192.0.2.1:1", "backend", nil, 421, "192.0.2.1"},
		"a rebound name by a proxy":    {"192.0.2.1:1", "localhost", http.Header{"X-Forwarded-Host": {"evil.example"}}, 421, "192.0.2.1"},
		"the same in Forwarded":        {"192.0.2.1:1", "localhost", http.Header{"Forwarded": {"Host=evil.example"}}, 421, "192.0.2.1"},
		"one of two":                   {"192.0.2.1:1", "localhost", http.Header{"X-Forwarded-Host": {"edge.example, evil.example"}}, 421, "192.0.2.1"},
		"a client that forges its own": {"192.0.2.1:1", "localhost", http.Header{"X-Forwarded-For": {"127.0.0.1, 198.51.100.7, 10.0.0.3"}}, 200, "198.51.100.7"},
		"a client without an address":  {"192.0.2.1:1", "localhost", http.Header{"X-Forwarded-For": {"unknown"}}, 200, "192.0.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s, got := hostRequest(t, settings, func(r *http.Request) {
				r.RemoteAddr, r.Host = c.remote, c.host
				for header, values := range c.header {
					r.Header[header] = values
				}
			})
			if got != c.want || !strings.Contains(s.log.String(), "client="+c.client+" ") && !strings.Contains(s.log.String(), "client="+c.client+"\n") {
				t.Errorf("got %d, want %d and client %s; the log: %s", got, c.want, c.client, s.log)
			}
		})
	}
}

// A page that a trusted proxy serves for us may send commands, as may one at
// http.public_url; the page of a neighboring port may not.
func TestCommandsOfOwnPages(t *testing.T) {
	for name, c := range map[string]struct {
		origin, host, forwarded string
		want                    int
	}{
		"straight":            {"http://localhost:8080", "localhost:8080", "", 200},
		"behind a proxy":      {"https://edge.example", "backend:8080", "edge.example", 200},
		"at the public URL":   {"https://public.example", "localhost:8080", "", 200},
		"a neighboring port":  {"http://localhost:3000", "localhost:8080", "", 403},
		"another own address": {"http://127.0.0.1:8080", "localhost:8080", "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			d := &devices{}
			s := newServer(t, func(config *api.Config, p *api.Parts) {
				p.Devices, config.PublicURL = d, "https://public.example"
				config.AllowedHosts, config.TrustedProxies = []string{"edge.example"}, []string{"192.0.2.1"}
			})
			r := from(c.origin, request("POST", "/", "", strings.NewReader(`{"cmd":"open"}`)))
			r.Host = c.host
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-Host", c.forwarded)
			}
			if w := s.do(r); w.Code != c.want || (len(d.sent) == 1) != (c.want == 200) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestHostSettings(t *testing.T) {
	for _, bad := range []string{"http://a.example", "a.example:80", "[::1]", "*.a.example", "a/b", "", " ", "a b", "-"} {
		c := api.DefaultConfig()
		c.AllowedHosts = []string{bad}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "allowed_hosts must") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, bad := range []string{"proxy", "10.0.0.0/33", "10.0.0", "", "10.0.0.1:80"} {
		c := api.DefaultConfig()
		c.TrustedProxies = []string{bad}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "trusted_proxies must") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
