package api

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/net/idna"
)

// anyHost in http.allowed_hosts disables the check.
const anyHost = "*"

// hosts is the set of names that this service accepts. A web page can make its
// own name resolve to this machine (DNS rebinding) and then has, for a browser,
// the same origin as the service; only the Host header reveals it.
type hosts struct {
	any   bool
	names map[string]bool
}

// newHosts reads the settings with names of this service; config must be valid.
func newHosts(config Config) hosts {
	h := hosts{any: slices.Contains(config.AllowedHosts, anyHost), names: map[string]bool{}}
	for _, name := range config.AllowedHosts {
		h.add(name)
	}
	if public, err := url.Parse(config.PublicURL); err == nil {
		h.add(public.Hostname())
	}
	if name, _, err := net.SplitHostPort(config.Listen); err == nil {
		h.add(name)
	}
	return h
}

func (h hosts) add(name string) {
	if name, err := hostName(name); err == nil && name != "" {
		h.names[name] = true
	}
}

// hostName returns a name as browsers send it: in lower case, an international
// one in its ASCII form, and without the final dot.
func hostName(name string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil {
		return "", err
	}
	return strings.ToLower(ascii), nil
}

// allows reports whether host, as in a Host header (a name or an address with
// or without a port), belongs to this service. Every address does: rebinding
// needs a name.
func (h hosts) allows(host string) bool {
	if h.any {
		return true
	}
	name, ok := withoutPort(host)
	if !ok {
		return false
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || h.names[name] || isThisMachine(name)
}

// withoutPort returns the name or address in front of the port. An IPv6 address
// may be in brackets, with a zone whose percent sign may be escaped
// (RFC 6874). A port that is no number is an error: the text before it may not
// be a host.
func withoutPort(host string) (name string, ok bool) {
	if inner, found := strings.CutPrefix(host, "["); found {
		address, port, closed := strings.Cut(inner, "]")
		_, err := netip.ParseAddr(strings.Replace(address, "%25", "%", 1))
		if !closed || err != nil || !strings.Contains(address, ":") || port != "" && (port[0] != ':' || !isPort(port[1:])) {
			return "", false
		}
		return strings.Replace(address, "%25", "%", 1), true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host, true // IPv6 without brackets
	}
	name, port, _ := strings.Cut(host, ":")
	return name, name != "" && isPort(port)
}

// isPort reports whether text has digits only; a port may be empty (RFC 3986).
func isPort(text string) bool {
	return len(text) <= 5 && strings.Trim(text, "0123456789") == ""
}

// isThisMachine reports whether name is the machine's host name, in full or its
// first label, with or without the .local of multicast DNS. The host name is
// read each time because DHCP and people change it.
func isThisMachine(name string) bool {
	own, err := os.Hostname()
	if err != nil || own == "" {
		return false
	}
	own = strings.ToLower(strings.TrimSuffix(own, "."))
	label, _, _ := strings.Cut(own, ".")
	return slices.Contains([]string{own, own + ".local", label, label + ".local"}, name)
}

// checkAllowedHosts reports entries that no Host header could match.
func checkAllowedHosts(names []string) (errs []error) {
	for _, name := range names {
		if name == anyHost {
			continue
		}
		if ascii, err := hostName(name); err != nil || ascii == "" || strings.ContainsAny(name, ":/@*[]") {
			errs = append(errs, fmt.Errorf("allowed_hosts must be names such as edge.example.com, without http:// and port, or *, not %q", name))
		}
	}
	return errs
}

// openRoutes are for probes, which use any name they find; the responses reveal
// nothing about images or devices.
var openRoutes = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// checkHost rejects requests that were meant for another host, and those of web
// pages from other hosts.
func (s *Server) checkHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if openRoutes[route(c)] {
			return next(c)
		}
		for _, host := range s.proxies.hosts(r) {
			r.Host = host // the client's; refuseForeignPages compares it with the origin
			// HTTP/1.0 has no Host header, and no browser uses it.
			if host == "" && !r.ProtoAtLeast(1, 1) {
				continue
			}
			if !s.hosts.allows(host) {
				return echo.NewHTTPError(http.StatusMisdirectedRequest, fmt.Sprintf(
					"This service does not accept the host name %q. Use its IP address or, if the name is right, add it to the setting http.allowed_hosts.", short(host)))
			}
		}
		for _, origin := range r.Header.Values("Origin") {
			if !s.allowsOrigin(origin) && !s.cors.allows(r.URL.Path, origin) {
				return echo.NewHTTPError(http.StatusForbidden, fmt.Sprintf(
					"Web pages of the origin %q may not use this URL. The settings http.allowed_origins (recognition, jobs, results, events) and http.allowed_command_origins (devices and commands) allow pages; http.allowed_hosts names this service.", short(origin)))
			}
		}
		return next(c)
	}
}

// allowsOrigin reports whether the host of an origin (RFC 6454) is this service.
func (s *Server) allowsOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && s.hosts.allows(u.Host)
}

func warnAboutHosts(h hosts, log *slog.Logger) {
	if h.any {
		log.Warn("Host header is not checked, so any web page can use this service by DNS rebinding: list names in http.allowed_hosts instead of *", "event", "host_check_off")
	}
}

// refuseForeignPages keeps web pages of other origins from sending commands to
// terminals: a browser on this network sends a form for any page, and a body of
// any Content-Type is accepted here. Requests of programs, which are no browsers, pass.
func refuseForeignPages(config Config) echo.MiddlewareFunc {
	protection := http.NewCrossOriginProtection()
	if public, err := url.Parse(config.PublicURL); err == nil && public.Host != "" {
		_ = protection.AddTrustedOrigin(public.Scheme + "://" + public.Host) // fails only for what is no origin, and this is one
	}
	for _, origin := range normalOrigins(config.AllowedCommandOrigins) {
		_ = protection.AddTrustedOrigin(origin) // Validate has checked them
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if (deviceRoutes[route(c)] || route(c) == examplesRoute) && protection.Check(c.Request()) != nil {
				return echo.NewHTTPError(http.StatusForbidden, "A web page of another origin may not send commands to terminals, or change what this node learns from. Send this from a program, or from a page of this service.")
			}
			return next(c)
		}
	}
}
