package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"edgelens/internal/client"
	"edgelens/internal/imagefile"
)

// addFirstExampleFlags adds the flags of what the first example of a dataset fixes.
func addFirstExampleFlags(flags *pflag.FlagSet, o *client.ExampleOptions) {
	flags.StringVar(&o.Extractor, "extractor", "", "model of the task embedding, for a new dataset (default: the service's)")
	addViewFlags(flags, &o.View)
}

func newDatasetAdd(c *client.Client) *cobra.Command {
	var o client.ExampleOptions
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "add NAME [FILE|FOLDER...]",
		Short: "Add images with a label, or the image of a result; the first creates the dataset",
		Example: `  edgelens dataset add gate --label open open-1.jpg open-2.jpg
  edgelens dataset add gate --label closed --result 0197a000-0000-7000-8000-00000000000b`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if (len(given) == 1) == (o.Result == "") {
				return usageError{errors.New("name either images or, by --result, a result")}
			}
			add := func(image []byte) error {
				e, _, err := c.AddExample(cmd.Context(), given[0], image, o)
				if err != nil {
					return err
				}
				return asJSON.print(cmd, e, func(out io.Writer) error {
					_, err := fmt.Fprintln(out, e.Id)
					return err
				})
			}
			if o.Result != "" {
				return add(nil)
			}
			files, err := imagefile.ListAll(given[1:])
			if err != nil {
				return err
			}
			for _, file := range files {
				image, err := imagefile.Read(cmd.InOrStdin(), file)
				if err == nil {
					err = add(image)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Label, "label", "", "what the images show, or in which state they show it")
	cmd.Flags().StringVar(&o.Result, "result", "", "id of the result that this corrects, whose image is taken")
	_ = cmd.MarkFlagRequired("label") // fails only for a flag that is not there
	addFirstExampleFlags(cmd.Flags(), &o)
	asJSON.add(cmd, ", one object a line")
	return cmd
}

func newDatasetImport(c *client.Client) *cobra.Command {
	var o client.ExampleOptions
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:     "import NAME FOLDER",
		Short:   "Add the images in FOLDER/LABEL/, each with its label; again, it goes on where it ended",
		Example: `  edgelens dataset import gate photos    # photos/open/*.jpg, photos/closed/*.jpg`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, given []string) error {
			outcome, err := c.ImportFolder(cmd.Context(), given[0], given[1], o, datasetProgress(cmd, "importing"))
			for _, one := range outcome.Skipped {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: skipped: %s\n", one.File, one.Reason) // progress only
			}
			if err != nil && outcome.Added > 0 {
				err = fmt.Errorf("%w (%d images were added; the same command goes on)", err, outcome.Added)
			}
			if err != nil {
				return err
			}
			err = asJSON.print(cmd, outcome, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%d added, %d known, %d skipped\n", outcome.Added, outcome.Known, len(outcome.Skipped))
				return err
			})
			if err == nil && len(outcome.Skipped) > 0 {
				err = errSilent // the files have been named
			}
			return err
		},
	}
	addFirstExampleFlags(cmd.Flags(), &o)
	asJSON.add(cmd, "")
	return cmd
}
