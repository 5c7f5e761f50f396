package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgelens/internal/client"
	"edgelens/internal/console"
)

func newDatasetLabel(c *client.Client) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "label NAME ID LABEL", Short: "Change the label of an example", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, given []string) error {
			e, err := c.LabelExample(cmd.Context(), given[0], given[1], given[2])
			if err != nil {
				return err
			}
			return asJSON.print(cmd, e, func(out io.Writer) error { return printExamples(out, e) })
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

// jsonRemovedExamples is the JSON of what was removed. Names are added and never changed: scripts read them.
type jsonRemovedExamples struct {
	Dataset  string   `json:"dataset"`
	Examples []string `json:"examples"`
}

func newDatasetDelete(c *client.Client) *cobra.Command {
	var all bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "delete NAME [ID...]", Short: "Remove examples with their images; with --all, the dataset", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, given []string) error {
			name, ids := given[0], given[1:]
			if all == (len(ids) > 0) {
				return usageError{errors.New("name either examples or --all")}
			}
			if all {
				if err := c.RemoveDataset(cmd.Context(), name); err != nil {
					return err
				}
			}
			for _, id := range ids {
				if err := c.RemoveExample(cmd.Context(), name, id); err != nil {
					return fmt.Errorf("%s: %w", id, err)
				}
			}
			return asJSON.print(cmd, jsonRemovedExamples{name, append([]string{}, ids...)}, func(out io.Writer) error {
				what := fmt.Sprintf("%d %s of %s", len(ids), console.Plural(len(ids), "example"), name)
				if all {
					what = "the dataset " + name
				}
				_, err := fmt.Fprintf(out, "%s removed\n", what)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "remove the dataset with all its examples")
	asJSON.add(cmd, "")
	return cmd
}

// datasetProgress shows the progress of what is done to the examples of a dataset.
func datasetProgress(cmd *cobra.Command, what string) func(done, all int) {
	show := console.NewProgress(cmd.ErrOrStderr(), 10)
	return func(done, all int) { show(done, all, what) }
}

// jsonEmbedded is the JSON of embeddings that were made anew. Names are added and never changed: scripts read them.
type jsonEmbedded struct {
	Dataset    string `json:"dataset"`
	Embeddings int    `json:"embeddings"`
}

func newDatasetEmbed(c *client.Client) *cobra.Command {
	var extractor string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "embed NAME", Short: "Make the embeddings anew that are not of the extractor as it is now", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			done, err := c.EmbedDataset(cmd.Context(), names[0], extractor, datasetProgress(cmd, "embedding"))
			if err != nil {
				return err
			}
			return asJSON.print(cmd, jsonEmbedded{names[0], done}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%d %s made\n", done, console.Plural(done, "embedding"))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&extractor, "extractor", "", "another extractor, a model of the task embedding")
	asJSON.add(cmd, "")
	return cmd
}
