package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/api"
	"edgelens/internal/client"
)

func newDataset(environ []string) *cobra.Command {
	var c client.Client
	cmd := &cobra.Command{Use: "dataset", Short: "Give images with their right labels, from which heads learn"}
	for _, sub := range []*cobra.Command{
		newDatasetList(&c), newDatasetShow(&c), newDatasetExamples(&c), newDatasetAdd(&c), newDatasetImport(&c),
		newDatasetLabel(&c), newDatasetDelete(&c), newDatasetEmbed(&c),
	} {
		cmd.AddCommand(sub)
	}
	addServerFlags(cmd, &c, environ)
	return cmd
}

func newDatasetList(c *client.Client) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the datasets", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := c.Datasets(cmd.Context())
			if err != nil {
				return err
			}
			return asJSON.print(cmd, all, func(out io.Writer) error {
				t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "NAME\tEXAMPLES\tLABELS\tSIZE\tEXTRACTOR\tCHANGED") // Flush returns the error
				for _, d := range all {
					fmt.Fprintf(t, "%s\t%d\t%d\t%.1f MB\t%s\t%s\n", d.Name, d.Examples, len(d.Labels), float64(d.ImageBytes)/1e6, d.Extractor.Name, d.ChangedAt.Local().Format(time.DateTime)) // Flush returns the error
				}
				return t.Flush()
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func newDatasetShow(c *client.Client) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Print a dataset with its labels", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			d, err := c.Dataset(cmd.Context(), names[0])
			if err != nil {
				return err
			}
			return asJSON.print(cmd, d, func(out io.Writer) error {
				t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				fmt.Fprintf(t, "extractor\t%s\nfit\t%s\nregion\t%s\n\nLABEL\tEXAMPLES\n", d.Extractor.Name, fitOf(d), regionOf(d)) // Flush returns the error
				for _, l := range d.Labels {
					fmt.Fprintf(t, "%s\t%d\n", l.Label, l.Count) // Flush returns the error
				}
				return t.Flush()
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func fitOf(d api.Dataset) string {
	if d.Fit == nil {
		return "-"
	}
	return string(*d.Fit)
}

func regionOf(d api.Dataset) string {
	if d.Region == nil {
		return "all"
	}
	return fmt.Sprintf("%v,%v,%v,%v", d.Region.X, d.Region.Y, d.Region.Width, d.Region.Height)
}

func newDatasetExamples(c *client.Client) *cobra.Command {
	var label string
	var limit int
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "examples NAME", Short: "List examples of a dataset, newest first", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			examples, err := c.Examples(cmd.Context(), names[0], label, limit)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, examples, func(out io.Writer) error { return printExamples(out, examples...) })
		},
	}
	cmd.Flags().StringVar(&label, "label", "", "only examples with this label")
	cmd.Flags().IntVar(&limit, "limit", 20, "maximum number of examples")
	asJSON.add(cmd, "")
	return cmd
}

func printExamples(w io.Writer, examples ...api.Example) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tLABEL\tSIZE\tDEVICE\tCREATED") // Flush returns the error
	for _, e := range examples {
		device := ""
		if e.Device != nil {
			device = *e.Device
		}
		fmt.Fprintf(t, "%s\t%s\t%.1f kB\t%s\t%s\n", e.Id, e.Label, float64(e.Bytes)/1e3, device, e.CreatedAt.Local().Format(time.DateTime)) // Flush returns the error
	}
	return t.Flush()
}
