package main

import (
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
)

func newModelVerify(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
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
				verdict := jsonVerdict{Model: arg, Usable: true}
				if err := app.VerifyModel(cmd.Context(), c, arg); err != nil {
					refused, verdict.Usable, verdict.Problem = true, false, err.Error()
				}
				if err := asJSON.print(cmd, verdict, verdict.text); err != nil {
					return err
				}
			}
			if refused {
				return errSilent
			}
			return nil
		},
	}
	asJSON.add(cmd, ", one object a line")
	return cmd
}

// jsonVerdict is the JSON of a model that was checked. Names are added and never changed: scripts read them.
type jsonVerdict struct {
	Model   string `json:"model"`
	Usable  bool   `json:"usable"`
	Problem string `json:"problem,omitempty"`
}

func (v jsonVerdict) text(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%s: %s\n", v.Model, cmp.Or(v.Problem, "can be used"))
	return err
}
