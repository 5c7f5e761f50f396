package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgelens/internal/config"
	"edgelens/internal/supervise"
)

// healthTimeout is how long a service that is healthy may take to say so.
const healthTimeout = 5 * time.Second

func newHealth(environ []string) *cobra.Command {
	var target string
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running service whether it is ready; exit 0 only if it is",
		Long: `Asks /readyz of the service on this machine, found by the same settings as serve finds
where to listen. --url names another: http(s):// of a service or of a worker's
--status-listen, mqtt:// of a broker, which is healthy where it answers at all.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if target == "" {
				c, err := config.Load(cmd.Flags(), environ)
				if err != nil {
					return err
				}
				if target, err = urlOf(c.HTTP.Listen); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), healthTimeout)
			defer cancel()
			health, err := askHealth(ctx, target)
			if err != nil {
				return fmt.Errorf("%s is not healthy: %w", target, err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), health)
			return err
		},
	}
	config.AddFlags(cmd.Flags(), "listen")
	cmd.Flags().StringVar(&target, "url", "", "address to ask (default: where serve listens)")
	return cmd
}

// urlOf returns where a server on this machine is reached that listens on the
// address, host:port.
func urlOf(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", fmt.Errorf("listen is %q, from which the port cannot be known; give --url", listen)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// healthy is what the command prints where nothing is wrong.
const healthy = "ok"

// askHealth returns "ok", or "degraded" with the reasons, of what is at the address; an
// error where it is not ready.
func askHealth(ctx context.Context, target string) (string, error) {
	address, err := url.Parse(target)
	if err != nil {
		return "", fmt.Errorf("the address cannot be read: %w", err)
	}
	switch address.Scheme {
	case "http", "https":
		return askReady(ctx, strings.TrimRight(target, "/")+"/readyz")
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

// readiness is the body of /readyz. A worker's is lines of text.
type readiness struct {
	Status  string
	Reasons []struct{ Name, Reason string }
}

// String returns the status and, where there are reasons, each of them.
func (r readiness) String() string {
	if len(r.Reasons) == 0 {
		return r.Status
	}
	reasons := make([]string, len(r.Reasons))
	for i, reason := range r.Reasons {
		reasons[i] = reason.Name + ": " + reason.Reason
	}
	return r.Status + ": " + strings.Join(reasons, "; ")
}

// askReady returns the readiness where the answer is 200; an error with it elsewhere.
func askReady(ctx context.Context, readyz string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, readyz, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close() // read only
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return "", err
	}
	var health readiness
	read := json.Unmarshal(body, &health) == nil && health.Status != ""
	switch {
	case response.StatusCode == http.StatusOK && read:
		return health.String(), nil
	case response.StatusCode == http.StatusOK:
		return healthy, nil
	case read:
		return "", errors.New(health.String())
	default:
		text := strings.Join(strings.Fields(string(body)), " ")
		return "", fmt.Errorf("it answers %s: %.300s", response.Status, text)
	}
}
