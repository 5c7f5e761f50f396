package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgelens/internal/client"
)

func newSensorDelete(environ []string) *cobra.Command {
	var c client.Client
	var erasure client.SeriesErasure
	var yes bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Erase series of sensors with their points and insights; without --yes, only count them",
		Example: `  edgelens sensor delete --device room_101                        # counts
  edgelens sensor delete --device room_101 --yes
  edgelens sensor delete --id 25973261-ac3f-8c66-98a2-9bac2a5037ff --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (erasure.ID == "") == (erasure.Device == "") {
				return usageError{errors.New("name what is to be erased, by either --device or --id")}
			}
			erasure.DryRun = !yes
			erased, err := c.EraseSeries(cmd.Context(), erasure)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, erased, func(out io.Writer) error {
				verb, note := erasedOrNot(erased.DryRun)
				_, err := fmt.Fprintf(out, "%d series with %d points, %d minutes, %d insights and %d undelivered events %s%s\n",
					erased.Series, erased.Points, erased.Minutes, erased.Insights, erased.UndeliveredEvents, verb, note)
				return err
			})
		},
	}
	addServerFlags(cmd, &c, environ)
	f := cmd.Flags()
	f.StringVar(&erasure.Device, "device", "", "all series of this device")
	f.StringVar(&erasure.ID, "id", "", "this series: /api/sensors lists them")
	f.BoolVar(&yes, "yes", false, "erase, and do not only count")
	asJSON.add(cmd, "")
	return cmd
}
