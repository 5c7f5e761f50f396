package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"edgelens/internal/config"
	"edgelens/internal/datadir"
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

// loadSettingsAsOwner is loadSettings for a command that writes to a folder: root becomes the folder's owner, so that the
// service can use what it writes.
func loadSettingsAsOwner(cmd *cobra.Command, environ []string, folder func(*config.Config) string) (*config.Config, error) {
	c, err := loadSettings(cmd, environ)
	if err != nil {
		return nil, err
	}
	return c, datadir.BecomeOwner(folder(c))
}

// becomeOwner makes root the owner of a data folder for a command that runs for long, and prints a warning: that user cannot do
// all that root can.
func becomeOwner(cmd *cobra.Command, dir string) error {
	before := os.Geteuid()
	if err := datadir.BecomeOwner(dir); err != nil {
		return err
	}
	if now := os.Geteuid(); now != before {
		fmt.Fprintf(cmd.ErrOrStderr(), "edgelens: warning: %s belongs to user %d, as whom this runs now, so that its files stay usable\n", dir, now)
	}
	return nil
}

func dataFolder(c *config.Config) string   { return c.DataDir }
func modelsFolder(c *config.Config) string { return c.ModelsDir }
