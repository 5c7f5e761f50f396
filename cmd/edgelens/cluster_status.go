package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"edgelens/internal/cluster"
)

func newClusterStatus(o *cluster.Options) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Report the services of the namespace, or one; exit with status 0 only if all are healthy",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd, o)
			if err != nil {
				return err
			}
			services, err := c.Services(cmd.Context(), o.Namespace, strings.Join(args, ""))
			if err != nil {
				return err
			}
			healthy := !slices.ContainsFunc(services, func(s cluster.Report) bool { return !s.Healthy })
			err = asJSON.print(cmd, struct {
				Healthy  bool             `json:"healthy"`
				Services []cluster.Report `json:"services"`
			}{healthy, services}, func(out io.Writer) error { return printServices(out, services) })
			if err == nil && !healthy {
				return errSilent
			}
			return err
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func printServices(w io.Writer, services []cluster.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tHEALTHY\tAVAILABLE\tUPDATED\tKIND\tIMAGE") // Flush returns the error
	for _, s := range services {
		fmt.Fprintf(t, "%s\t%s\t%d of %d\t%d of %d\t%s\t%s\n", s.Name, yesNo(s.Healthy), s.Available, s.Replicas, s.Updated, s.Replicas, s.Kind, strings.Join(s.Images, " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range services {
		for _, reason := range s.Reasons {
			if _, err := fmt.Fprintf(w, "%s: %s\n", s.Name, reason); err != nil {
				return err
			}
		}
	}
	return nil
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
