package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edgelens/internal/config"
)

func newConfig(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration as an edgelens.yaml",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			for _, text := range c.Retired() {
				fmt.Fprintln(cmd.ErrOrStderr(), "edgelens: warning: "+text) // the output stays a valid file
			}
			return c.Print(cmd.OutOrStdout())
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}
