package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgelens"
	"edgelens/models"
)

func newModelAdd(environ []string) *cobra.Command {
	var a models.Addition
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "add FILE --task embedding",
		Short: "Use a model without a classifier for embeddings",
		Long: "Copy a .tflite model whose output is a feature vector into the models folder, and enter it in the\n" +
			"folder's manifest.yaml. A classifier needs no entry: put it into the models folder, with its labels\n" +
			"beside it.",
		Example: "  edgelens model add my_extractor.tflite --task embedding\n  edgelens recognize --task embedding --model my_extractor --json cat.jpg",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadSettingsAsOwner(cmd, environ, modelsFolder)
			if err != nil {
				return err
			}
			a.File = args[0]
			entry, err := models.Add(c.ModelsDir, a)
			if err != nil {
				return err
			}
			added := jsonAdded{entry.Name, entry.File.Name, "sha256:" + entry.File.SHA256, entry.File.Size, entry.Task}
			return asJSON.print(cmd, added, added.text)
		},
	}
	asJSON.add(cmd, "")
	cmd.Flags().StringVar(&a.Name, "name", "", "name of the model (default: that of the file, without .tflite)")
	cmd.Flags().StringVar(&a.Task, "task", "", "what the model is for: "+edgelens.TaskEmbedding)
	_ = cmd.MarkFlagRequired("task") // the flag exists
	return cmd
}

// jsonAdded is the JSON of a model that was entered in the manifest. Names are added and never changed: scripts read them.
type jsonAdded struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	Digest string `json:"digest"`
	Bytes  int64  `json:"bytes"`
	Task   string `json:"task"`
}

func (a jsonAdded) text(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%s: %s is in the models folder, for the task %s\n", a.Name, a.File, a.Task)
	return err
}
