package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"edgelens/api"
	"edgelens/internal/supervise"
)

// healthTimeout bounds the response time of a healthy service.
const healthTimeout = 5 * time.Second

// The status of a service without reasons, and of one that does not report any.
const (
	healthy = "ok"
	unknown = "unknown"
)

// LocalURL returns the URL for a server on this machine that listens on the address, host:port; scheme is "http" or
// "https".
func LocalURL(scheme, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", fmt.Errorf("listen is %q, which has no port; give --url", listen)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

// HealthReport is what is known about the health of a service, which `edgelens health --json` prints.
type HealthReport struct {
	URL string `json:"url"`
	// Ready is whether it is ready, perhaps with limits.
	Ready bool `json:"ready"`
	// Status is "ok", "degraded" or "unavailable", and "unknown" where it does not answer so.
	Status string `json:"status"`
	// Reasons are the conditions that it reveals.
	Reasons []api.Condition `json:"reasons"`
	// Problem is why it is not ready; "" where it is.
	Problem string `json:"problem,omitempty"`
}

// String returns the status with its reasons.
func (r HealthReport) String() string {
	if len(r.Reasons) == 0 {
		return r.Status
	}
	var reasons []string
	for _, reason := range r.Reasons {
		reasons = append(reasons, reason.Name+": "+reason.Reason)
	}
	return r.Status + ": " + strings.Join(reasons, "; ")
}

// Health returns the health of the service, worker or broker at an address, and an error where it is not ready. A
// service with keys reveals the reasons only to one with the scope metrics or page; key may be "". trusted is what an
// https address must have; nil for what this machine trusts.
func Health(ctx context.Context, target, key string, trusted *tls.Config) (HealthReport, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	report := HealthReport{URL: target, Status: unknown, Reasons: []api.Condition{}}
	err := report.ask(ctx, key, trusted)
	if err != nil {
		report.Problem = err.Error()
		return report, fmt.Errorf("%s is not healthy: %w", target, err)
	}
	report.Ready = true
	return report, nil
}

// ask fills in the report; the error is why the service is not ready.
func (r *HealthReport) ask(ctx context.Context, key string, trusted *tls.Config) error {
	address, err := url.Parse(r.URL)
	if err != nil {
		return fmt.Errorf("parse the address: %w", err)
	}
	switch address.Scheme {
	case "http", "https":
		return r.askReady(ctx, strings.TrimRight(r.URL, "/")+"/readyz", key, trusted)
	case "mqtt":
		host := address.Host
		if address.Port() == "" {
			host = net.JoinHostPort(address.Hostname(), "1883")
		}
		if err := supervise.GreetBroker(ctx, "tcp", host); err != nil {
			return err
		}
		r.Status = healthy
		return nil
	default:
		return errors.New("the address must begin with http://, https:// or mqtt://")
	}
}

// askReady fills in what a service answers; any other status than 200 is an error. A worker's body is lines of text.
func (r *HealthReport) askReady(ctx context.Context, readyz, key string, trusted *tls.Config) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, readyz, nil)
	if err != nil {
		return err
	}
	authorize(request, key)
	transport := &http.Transport{TLSClientConfig: trusted, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() // read only
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	var health api.Health
	read := json.Unmarshal(body, &health) == nil && health.Status != ""
	if read {
		r.Status = string(health.Status)
		if health.Reasons != nil {
			r.Reasons = *health.Reasons
		}
	}
	switch {
	case response.StatusCode == http.StatusOK && read:
		return nil
	case response.StatusCode == http.StatusOK:
		r.Status = healthy
		return nil
	case read:
		return errors.New(r.String())
	default:
		text := strings.Join(strings.Fields(string(body)), " ")
		return fmt.Errorf("it returns %s: %.300s", response.Status, text)
	}
}
