package main

import (
	"os"
	"os/signal"
	"syscall"

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
		Long: `Runs the server until SIGTERM. SIGHUP reads the settings and the models folder again: the level of the log and
the default model change at once, and the log names the settings that need a restart. Models, keys and
certificates are followed without it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			if err := becomeOwner(cmd, c.DataDir); err != nil {
				return err
			}
			if pull {
				// The server starts without it, and reports what is missing.
				if err := app.PullDefault(cmd.Context(), c, newPullProgress(cmd.ErrOrStderr())); err != nil {
					telemetry.NewLogger(c.Log, cmd.ErrOrStderr()).Warn("fetching the default model failed", "error", err)
				}
			}
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			return app.Serve(cmd.Context(), c, version, cmd.ErrOrStderr(), app.Reload{
				Signals: hangups, Load: func() (*config.Config, error) { return config.Load(cmd.Flags(), environ) },
			})
		},
	}
	config.AddFlags(cmd.Flags())
	cmd.Flags().BoolVar(&pull, "pull", false, "fetch the default model first, if it is missing")
	return cmd
}
