package main

import (
	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/telemetry"
)

func newServe(environ []string) *cobra.Command {
	var pull bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server until it is stopped",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			if pull {
				// The server starts without it, and reports what is missing.
				if err := app.PullDefault(cmd.Context(), c, newPullProgress(cmd.ErrOrStderr())); err != nil {
					telemetry.NewLogger(c.Log, cmd.ErrOrStderr()).Warn("fetching the default model failed", "error", err)
				}
			}
			return app.Serve(cmd.Context(), c, version, cmd.ErrOrStderr())
		},
	}
	config.AddFlags(cmd.Flags())
	cmd.Flags().BoolVar(&pull, "pull", false, "fetch the default model first, if it is missing")
	return cmd
}
