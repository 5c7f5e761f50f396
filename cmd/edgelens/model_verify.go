package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
)

func newModelVerify(environ []string) *cobra.Command {
	return &cobra.Command{
		Use:   "verify NAME|FILE...",
		Short: "Check models, by name or .tflite file, and probe them in a separate process; exit with status 1 if one is refused",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			refused := false
			for _, arg := range args {
				verdict := "can be used"
				if err := app.VerifyModel(cmd.Context(), c, arg); err != nil {
					refused, verdict = true, err.Error()
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", arg, verdict) // progress only
			}
			if refused {
				return errSilent
			}
			return nil
		},
	}
}
