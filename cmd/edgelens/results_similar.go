package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/api"
	"edgelens/internal/client"
	"edgelens/internal/imagefile"
)

func newResultsSimilar(c *client.Client) *cobra.Command {
	var options client.SimilarOptions
	var since string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "similar FILE",
		Short: "Find the results of the history whose images are similar to an image",
		Long: "Find the results of the history whose images are similar to an image; - for standard input. The\n" +
			"server needs the setting similarity.enabled.",
		Example: "  edgelens results similar --min-similarity 0.8 --since 2026-06-01 gate.jpg",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if options.Since, err = parseMoment("since", since); err != nil {
				return err
			}
			image, err := imagefile.Read(cmd.InOrStdin(), args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			found, err := c.Similar(cmd.Context(), image, options)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, found, func(out io.Writer) error { return printSimilar(out, found) })
		},
	}
	f := cmd.Flags()
	f.IntVar(&options.Limit, "limit", 10, "maximum number of results, up to 100")
	f.Float64Var(&options.MinSimilarity, "min-similarity", 0, "least cosine similarity, -1 to 1")
	f.StringVar(&options.Device, "device", "", "only of this device")
	f.StringVar(&since, "since", "", "only from this time on: 2026-06-01 (local time), or 2026-06-01T08:00:00Z")
	asJSON.add(cmd, ", as POST /api/similar does")
	return cmd
}

func printSimilar(out io.Writer, found api.SimilarResults) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SIMILARITY\tTIME\tLABEL\tDEVICE\tRESULT") // Flush returns it
	for _, s := range found.Results {
		label, device := "", ""
		if r := s.Result.Result; r != nil && len(r.Predictions) > 0 {
			label = r.Predictions[0].Label
		}
		if s.Result.Device != nil {
			device = *s.Result.Device
		}
		fmt.Fprintf(t, "%.3f\t%s\t%s\t%s\t%s\n", s.Similarity, s.Result.CreatedAt.Local().Format(time.DateTime), label, device, s.Result.Id) // Flush returns it
	}
	return t.Flush()
}
