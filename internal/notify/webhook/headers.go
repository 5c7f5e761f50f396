package webhook

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"edgelens/internal/headerlines"
	"edgelens/internal/notify"
)

// ours are the headers that a delivery sets itself, in canonical form.
var ours = map[string]bool{
	"Content-Type": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Host": true,
	"Traceparent": true, "Webhook-Id": true, "Webhook-Timestamp": true, "Webhook-Signature": true, SignatureHeader: true,
}

// headers parses Headers. The error repeats no value.
func (c Config) headers() (http.Header, error) {
	return headerlines.Parse(c.Headers, ours)
}

// roots returns the trusted certificates; nil for the system's.
func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("webhook.ca_file cannot be read: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("webhook.ca_file %s has no certificate in PEM", c.CAFile)
	}
	return roots, nil
}

// later applies a reply's Retry-After (RFC 9110, 10.2.3): seconds or a date.
func later(reply *http.Response, now time.Time, err error) error {
	text := strings.TrimSpace(reply.Header.Get("Retry-After"))
	if seconds, parseErr := strconv.ParseUint(text, 10, 31); parseErr == nil {
		return &notify.Later{After: time.Duration(seconds) * time.Second, Err: err}
	}
	if at, parseErr := http.ParseTime(text); parseErr == nil && at.After(now) {
		return &notify.Later{After: at.Sub(now), Err: err}
	}
	return err
}
