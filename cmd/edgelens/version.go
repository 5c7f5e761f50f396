package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/internal/app"
	"edgelens/internal/config"
)

func newVersion(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, the runtimes that run models, and the processor's features that they choose kernels by",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			system := app.System(version, app.NewRuntimes(c))
			return asJSON.print(cmd, versionOf(system), func(out io.Writer) error { return printVersion(out, system) })
		},
	}
	asJSON.add(cmd, "")
	config.AddFlags(cmd.Flags(), "data_dir", "inference.accelerators")
	return cmd
}

// jsonVersion is the JSON of a version. Names are added and never changed: scripts read them.
type jsonVersion struct {
	Version      string            `json:"version"`
	Commit       string            `json:"commit"`
	Date         string            `json:"date"`
	Go           string            `json:"go"`
	Architecture string            `json:"architecture"`
	Processor    string            `json:"processor,omitempty"`
	Cores        int               `json:"cores"`
	Features     []string          `json:"features,omitempty"`
	Runtimes     []jsonRuntime     `json:"runtimes"`
	Accelerators []jsonAccelerator `json:"accelerators"`
}

type jsonRuntime struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Library string `json:"library,omitempty"`
	Problem string `json:"problem,omitempty"`
}

type jsonAccelerator struct {
	Name    string `json:"name"`
	Problem string `json:"problem,omitempty"`
}

func versionOf(s edgelens.System) jsonVersion {
	v := jsonVersion{
		Version: s.Version, Commit: commit, Date: date, Go: runtime.Version(), Architecture: s.Architecture, Processor: s.Processor, Cores: s.Cores, Features: s.Features,
		Runtimes: []jsonRuntime{}, Accelerators: []jsonAccelerator{},
	}
	for _, r := range s.Runtimes {
		v.Runtimes = append(v.Runtimes, jsonRuntime(r))
	}
	for _, a := range s.Accelerators {
		v.Accelerators = append(v.Accelerators, jsonAccelerator(a))
	}
	return v
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
