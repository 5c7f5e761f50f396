package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edgelens/internal/client"
	"edgelens/internal/config"
)

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
				if target, err = client.LocalURL(c.HTTP.Listen); err != nil {
					return err
				}
			}
			health, err := client.Health(cmd.Context(), target)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), health)
			return err
		},
	}
	config.AddFlags(cmd.Flags(), "listen")
	cmd.Flags().StringVar(&target, "url", "", "address to ask (default: where serve listens)")
	return cmd
}
