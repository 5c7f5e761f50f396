package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"edgelens/inference/litert"
	"edgelens/inference/runtimes"
	"edgelens/internal/app"
	"edgelens/internal/config"
	"edgelens/internal/console"
)

func newRuntime(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "runtime", Short: "Install a runtime that runs models (`version` lists them)"}
	install := newRuntimeInstall(environ)
	config.AddFlags(install.Flags(), "data_dir")
	cmd.AddCommand(install)
	return cmd
}

func newRuntimeInstall(environ []string) *cobra.Command {
	var installer runtimes.Installer
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "install litert",
		Short: "Fetch LiteRT " + litert.Version + " with pip, for models and accelerators that need it",
		Long: `Fetches the library of LiteRT (15 to 22 MB, Apache-2.0) from the Python package ` + litert.Package + ` with pip,
checks its checksum and puts it into the data folder, where serve finds it at its next start. Nothing of the
package is run.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "litert" {
				return fmt.Errorf("the runtime that can be installed is litert: %s litert", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadSettingsAsOwner(cmd, environ, dataFolder)
			if err != nil {
				return err
			}
			if installer.Folder == "" {
				installer.Folder = app.RuntimeFolder(c)
			}
			return install(cmd, installer, asJSON)
		},
	}
	cmd.Flags().StringVar(&installer.Folder, "folder", "", "folder to put it in (default: one in the data folder)")
	cmd.Flags().StringVar(&installer.Architecture, "architecture", runtime.GOARCH, "amd64 or arm64, to install it for another machine")
	asJSON.add(cmd, "")
	return cmd
}

// jsonInstalled is the JSON of an installed runtime. Names are added and never changed: scripts read them.
type jsonInstalled struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Folder  string `json:"folder"`
	// Fetched is false for one that was there already.
	Fetched bool `json:"fetched"`
}

func (i jsonInstalled) text(out io.Writer) error {
	note := " already"
	if i.Fetched {
		note = "; a running service uses it once it is started again"
	}
	_, err := fmt.Fprintf(out, "LiteRT %s is in %s%s\n", i.Version, i.Folder, note)
	return err
}

func install(cmd *cobra.Command, installer runtimes.Installer, asJSON jsonFlag) error {
	installed := jsonInstalled{Name: "litert", Version: litert.Version, Folder: installer.Folder}
	if installer.IsInstalled() {
		return asJSON.print(cmd, installed, installed.text)
	}
	progress := cmd.ErrOrStderr()
	fmt.Fprintf(progress, "fetching LiteRT %s (15 to 22 MB, by pip)\n", litert.Version) // progress only
	if !console.IsTerminal(progress) {
		progress = nil
	}
	if err := installer.Install(cmd.Context(), progress); err != nil {
		return err
	}
	installed.Fetched = true
	return asJSON.print(cmd, installed, installed.text)
}
