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

	"edgelens/config"
	"edgelens/supervise"
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
			if err := askHealth(ctx, target); err != nil {
				return fmt.Errorf("%s is not healthy: %w", target, err)
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "ok")
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

// askHealth returns nil where what is at the address is ready, and else why not.
func askHealth(ctx context.Context, target string) error {
	address, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("the address cannot be read: %w", err)
	}
	switch address.Scheme {
	case "http", "https":
		return askReady(ctx, strings.TrimRight(target, "/")+"/readyz")
	case "mqtt":
		host := address.Host
		if address.Port() == "" {
			host = net.JoinHostPort(address.Hostname(), "1883")
		}
		return supervise.GreetBroker(ctx, "tcp", host)
	default:
		return errors.New("the address must begin with http://, https:// or mqtt://")
	}
}

// askReady returns nil for 200, and else what the service waits for.
func askReady(ctx context.Context, readyz string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, readyz, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close() // read only
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	var health struct {
		Waiting []string `json:"waiting"`
	}
	if json.Unmarshal(body, &health) == nil && len(health.Waiting) > 0 {
		return fmt.Errorf("it waits: %s", strings.Join(health.Waiting, "; "))
	}
	// A worker says it in lines.
	said := strings.Join(strings.Fields(string(body)), " ")
	return fmt.Errorf("it answers %s: %.300s", response.Status, said)
}
