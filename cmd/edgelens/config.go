package main

import (
	"io"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/config"
)

func newConfig(environ []string) *cobra.Command {
	var options config.PrintOptions
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the effective configuration as an edgelens.yaml",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, settingsOf(c.InForce()), func(out io.Writer) error { return c.PrintWith(out, options) })
		},
	}
	config.AddFlags(cmd.Flags())
	cmd.Flags().BoolVar(&options.Secrets, "show-secrets", false, "print secrets, too")
	cmd.Flags().BoolVar(&options.Sources, "sources", false, "print where each value was set")
	asJSON.add(cmd, ": each setting with its value, default and source; secrets are masked")
	return cmd
}

// jsonSetting is the JSON of a setting. Names are added and never changed: scripts read them.
type jsonSetting struct {
	Key     string `json:"key"`
	Type    string `json:"type"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Source  string `json:"source"`
	Masked  bool   `json:"masked,omitempty"`
}

func settingsOf(settings []edgelens.Setting) []jsonSetting {
	all := make([]jsonSetting, 0, len(settings))
	for _, s := range settings {
		all = append(all, jsonSetting{s.Key, s.Type, s.Value, s.Default, string(s.Source), s.Masked})
	}
	return all
}
