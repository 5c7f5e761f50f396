package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
)

func newVersion(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the runtimes that run models, and the processor's features that they choose kernels by",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			return printVersion(cmd.OutOrStdout(), app.System(version, app.NewRuntimes(c)))
		},
	}
	config.AddFlags(cmd.Flags(), "data_dir", "inference.accelerators")
	return cmd
}

func printVersion(out io.Writer, s edgelens.System) error {
	_, err := fmt.Fprintf(out, "edgelens %s\n", s.Version)
	if err != nil {
		return err
	}
	for _, r := range s.Runtimes {
		if _, err = fmt.Fprintf(out, "runtime: %s\n", runtimeLine(r)); err != nil {
			return err
		}
	}
	for _, a := range s.Accelerators {
		if _, err = fmt.Fprintf(out, "accelerator: %s: %s\n", a.Name, cmp.Or(a.Problem, "may be used")); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "processor: %s, %d cores, %s: %s\n", orUnknown(s.Processor), s.Cores, s.Architecture, orUnknown(strings.Join(s.Features, " ")))
	return err
}

func runtimeLine(r edgelens.InstalledRuntime) string {
	switch {
	case r.Problem != "":
		return fmt.Sprintf("%s %s: %s", r.Name, r.Version, r.Problem)
	case r.Library != "":
		return fmt.Sprintf("%s %s (%s)", r.Name, r.Version, r.Library)
	}
	return r.Name + " " + r.Version
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
