package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgelens/internal/app"
	"edgelens/internal/config"
)

func newHeadExport(environ []string) *cobra.Command {
	var out string
	var version int
	var force bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "export NAME --out FILE.tflite",
		Short: "Write a head with its extractor as one .tflite file, and its labels beside it",
		Long: "Write a head with its extractor as one .tflite file, for other programs, with its labels beside it\n" +
			"(FILE.txt). The probabilities are those of the head; what a .tflite cannot have is printed: the\n" +
			"threshold below which the answer is \"unknown\", and which part of an image the head is shown.",
		Example: "  edgelens head export gate --out gate.tflite",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadSettings(cmd, environ)
			if err != nil {
				return err
			}
			exported, err := app.ExportHead(cmd.Context(), c, args[0], version, out, force)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, jsonExported{args[0], exported.Version, exported.File, exported.Labels, append([]string{}, exported.Notes...)}, func(w io.Writer) error {
				for _, note := range exported.Notes {
					fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note) // a warning only
				}
				_, err := fmt.Fprintf(w, "version %d of %s is in %s, with its labels in %s\n", exported.Version, args[0], exported.File, exported.Labels)
				return err
			})
		},
	}
	config.AddFlags(cmd.Flags(), "data_dir", "inference.delegate", "inference.requantize")
	cmd.Flags().StringVar(&out, "out", "", "the file to write; it ends in .tflite")
	cmd.Flags().IntVar(&version, "version", 0, "the version to write (default: the live one)")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file")
	_ = cmd.MarkFlagRequired("out") // the flag exists
	asJSON.add(cmd, "")
	return cmd
}

// jsonExported is the JSON of an exported head. Names are added and never changed: scripts read them.
type jsonExported struct {
	Name    string   `json:"name"`
	Version int      `json:"version"`
	File    string   `json:"file"`
	Labels  string   `json:"labels"`
	Notes   []string `json:"notes"`
}
