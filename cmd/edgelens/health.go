package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgelens/internal/client"
	"edgelens/internal/config"
)

func newHealth(environ []string) *cobra.Command {
	var target string
	var key keyFlag
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Check whether a running service is ready; exit with status 0 only if it is",
		Long: `Requests /readyz of the service on this machine, at the address that the settings give serve.
--url selects another: http(s):// for a service or a worker's --status-listen, mqtt:// for a
broker, which is healthy if it answers at all. It needs no key; with one of the scope metrics or
page, it prints the reasons of a service that has keys.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var trusted *tls.Config
			if target == "" {
				c, err := loadSettings(cmd, environ)
				if err != nil {
					return err
				}
				if target, err = client.LocalURL(c.HTTP.Scheme(), c.HTTP.Listen); err != nil {
					return err
				}
				if c.HTTP.TLS.IsSet() {
					if trusted, err = c.HTTP.TLS.Pinned(); err != nil {
						return err
					}
				}
			}
			token, err := key.read(environ)
			if err != nil {
				return err
			}
			health, failed := client.Health(cmd.Context(), target, token, trusted)
			if failed != nil && !asJSON.set {
				return failed
			}
			return errors.Join(failed, asJSON.print(cmd, health, func(out io.Writer) error {
				_, err := fmt.Fprintln(out, health)
				return err
			}))
		},
	}
	config.AddFlags(cmd.Flags(), "listen", "http.tls.")
	key.add(cmd.Flags())
	cmd.Flags().StringVar(&target, "url", "", "URL to check (default: the address of serve)")
	asJSON.add(cmd, ", also of a service that is not ready")
	return cmd
}
