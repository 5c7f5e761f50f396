package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// jsonFlag is the flag --json of every command that prints a result: people read text, scripts JSON. Its names are in
// snake_case, are listed in docs/command-line.md, and are added and never changed.
type jsonFlag struct{ set bool }

// add adds the flag to a command; note is appended to its description, for a form that is not one value.
func (j *jsonFlag) add(cmd *cobra.Command, note string) {
	cmd.Flags().BoolVar(&j.set, "json", false, "print JSON"+note)
}

// print prints a value as one line of JSON, or else by text.
func (j *jsonFlag) print(cmd *cobra.Command, value any, text func(out io.Writer) error) error {
	if j.set {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(value)
	}
	return text(cmd.OutOrStdout())
}
