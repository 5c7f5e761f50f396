package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edgelens/internal/config"
)

// loadSettings is config.Load for a command without a log: warnings go to standard error.
func loadSettings(cmd *cobra.Command, environ []string) (*config.Config, error) {
	c, err := config.Load(cmd.Flags(), environ)
	if err != nil {
		return nil, err
	}
	for _, text := range c.Retired() {
		fmt.Fprintln(cmd.ErrOrStderr(), "edgelens: warning: "+text)
	}
	return c, nil
}
