package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgelens/internal/client"
)

func newResults(environ []string) *cobra.Command {
	var c client.Client
	cmd := &cobra.Command{Use: "results", Short: "Find similar results, and erase results and records"}
	addServerFlags(cmd, &c, environ)
	cmd.AddCommand(newResultsDelete(&c), newResultsSimilar(&c))
	return cmd
}

func newResultsDelete(c *client.Client) *cobra.Command {
	var erasure client.Erasure
	var since, until string
	var yes bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Erase results and records with their images and undelivered events; without --yes, only count them",
		Example: `  edgelens results delete --person 4711                        # counts
  edgelens results delete --person 4711 --yes
  edgelens results delete --device 1026700 --until 2026-06-01 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if erasure.Since, err = parseMoment("since", since); err != nil {
				return err
			}
			if erasure.Until, err = parseMoment("until", until); err != nil {
				return err
			}
			if erasure.DryRun = !yes; erasure == (client.Erasure{DryRun: !yes}) {
				return errors.New("name what is to be erased, by --device, --person, --since or --until")
			}
			erased, err := c.Erase(cmd.Context(), erasure)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, erased, func(out io.Writer) error {
				verb, note := erasedOrNot(erased.DryRun)
				_, err := fmt.Fprintf(out, "%d results, %d records, %d jobs, %d examples, %d images (%.1f MB) and %d undelivered events %s%s\n",
					erased.Results, erased.Records, erased.Jobs, erased.Examples, erased.Images, float64(erased.ImageBytes)/1e6, erased.UndeliveredEvents, verb, note)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&erasure.Device, "device", "", "only of this device")
	f.StringVar(&erasure.Person, "person", "", "only records of this person: the number or the name that the terminal sent")
	f.StringVar(&since, "since", "", "only from this time on: 2026-06-01 (local time), or 2026-06-01T08:00:00Z")
	f.StringVar(&until, "until", "", "only from before this time")
	f.BoolVar(&yes, "yes", false, "erase, and do not only count")
	asJSON.add(cmd, "")
	return cmd
}

// erasedOrNot describes what was done to what is listed, and how to do it.
func erasedOrNot(dryRun bool) (verb, note string) {
	if dryRun {
		return "would be erased", "; --yes erases them"
	}
	return "erased", ""
}

// parseMoment parses a date, in local time, or a time with its zone; the zero time for "".
func parseMoment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, text, time.Local)
	if err != nil {
		return time.Time{}, fmt.Errorf("--%s must be a date such as 2026-06-01 or a time such as 2026-06-01T08:00:00Z, not %q", flag, text)
	}
	return at, nil
}
