package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the addresses whose forwarded headers are trusted. Any other client can
// write such headers, so they are ignored from elsewhere.
type proxies []netip.Prefix

// newProxies reads http.trusted_proxies, which must be valid.
func newProxies(config Config) proxies {
	var list proxies
	for _, text := range config.TrustedProxies {
		if prefix, err := parsePrefix(text); err == nil {
			list = append(list, prefix)
		}
	}
	return list
}

// parsePrefix takes an address or a network such as 10.0.0.0/8.
func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap().WithZone("")
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

// checkTrustedProxies reports invalid entries.
func checkTrustedProxies(list []string) (errs []error) {
	for _, text := range list {
		if _, err := parsePrefix(text); err != nil {
			errs = append(errs, fmt.Errorf("trusted_proxies must be addresses or networks such as 10.0.0.5 or 10.0.0.0/8, not %q", text))
		}
	}
	return errs
}

// trusts reports whether the request comes straight from a trusted proxy.
func (p proxies) trusts(r *http.Request) bool {
	return len(p) > 0 && p.contains(remoteAddress(r))
}

func (p proxies) contains(address netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// remoteAddress is the other end of the connection; the zero Addr if that is
// no IP address.
func remoteAddress(r *http.Request) netip.Addr {
	remote, _ := netip.ParseAddrPort(r.RemoteAddr)
	return remote.Addr().Unmap().WithZone("")
}

// hosts returns the hosts that a request names: those that a trusted proxy
// forwards, all of them where there are several, or else the Host header.
func (p proxies) hosts(r *http.Request) []string {
	if p.trusts(r) {
		if forwarded := p.forwarded(r, "X-Forwarded-Host", "host"); len(forwarded) > 0 {
			return forwarded
		}
	}
	return []string{r.Host}
}

// client returns the address that the request comes from: the last one that was
// forwarded by a trusted proxy.
func (p proxies) client(r *http.Request) netip.Addr {
	client := remoteAddress(r)
	if !p.trusts(r) {
		return client
	}
	forwarded := p.forwarded(r, "X-Forwarded-For", "for")
	for i := len(forwarded) - 1; i >= 0 && p.contains(client); i-- {
		name, ok := withoutPort(forwarded[i])
		address, err := netip.ParseAddr(name)
		if !ok || err != nil {
			break // "unknown", or obfuscated
		}
		client = address.Unmap().WithZone("")
	}
	return client
}

// forwarded returns the values of an X-Forwarded header or, where there is
// none, of the parameter of that name in Forwarded (RFC 7239), in order.
func (p proxies) forwarded(r *http.Request, header, parameter string) []string {
	var values []string
	for _, line := range r.Header.Values(header) {
		for value := range strings.SplitSeq(line, ",") {
			values = append(values, strings.TrimSpace(value))
		}
	}
	if values != nil {
		return values
	}
	for _, line := range r.Header.Values("Forwarded") {
		for pair := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.EqualFold(name, parameter) {
				values = append(values, strings.Trim(value, `"`))
			}
		}
	}
	return values
}
