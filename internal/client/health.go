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

// healthy is the health of a service without reasons.
const healthy = "ok"

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

// Health returns "ok", or "degraded", of the service, worker or broker at an address; an error where it is not ready. A
// service with keys reveals the reasons only to one with the scope metrics or page; key may be "". trusted is what an
// https address must have; nil for what this machine trusts.
func Health(ctx context.Context, target, key string, trusted *tls.Config) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	health, err := askHealth(ctx, target, key, trusted)
	if err != nil {
		return "", fmt.Errorf("%s is not healthy: %w", target, err)
	}
	return health, nil
}

func askHealth(ctx context.Context, target, key string, trusted *tls.Config) (string, error) {
	address, err := url.Parse(target)
	if err != nil {
		return "", fmt.Errorf("parse the address: %w", err)
	}
	switch address.Scheme {
	case "http", "https":
		return askReady(ctx, strings.TrimRight(target, "/")+"/readyz", key, trusted)
	case "mqtt":
		host := address.Host
		if address.Port() == "" {
			host = net.JoinHostPort(address.Hostname(), "1883")
		}
		return healthy, supervise.GreetBroker(ctx, "tcp", host)
	default:
		return "", errors.New("the address must begin with http://, https:// or mqtt://")
	}
}

// healthText returns the status with its reasons.
func healthText(h api.Health) string {
	if h.Reasons == nil || len(*h.Reasons) == 0 {
		return string(h.Status)
	}
	var reasons []string
	for _, reason := range *h.Reasons {
		reasons = append(reasons, reason.Name+": "+reason.Reason)
	}
	return string(h.Status) + ": " + strings.Join(reasons, "; ")
}

// askReady returns the health where the status is 200, otherwise as an error. A worker's body is lines of text.
func askReady(ctx context.Context, readyz, key string, trusted *tls.Config) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, readyz, nil)
	if err != nil {
		return "", err
	}
	authorize(r, key)
	transport := &http.Transport{TLSClientConfig: trusted, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() // read only
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return "", err
	}
	var health api.Health
	read := json.Unmarshal(body, &health) == nil && health.Status != ""
	switch {
	case response.StatusCode == http.StatusOK && read:
		return healthText(health), nil
	case response.StatusCode == http.StatusOK:
		return healthy, nil
	case read:
		return "", errors.New(healthText(health))
	default:
		text := strings.Join(strings.Fields(string(body)), " ")
		return "", fmt.Errorf("it returns %s: %.300s", response.Status, text)
	}
}
