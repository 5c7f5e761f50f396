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

func newClusterNodes(o *cluster.Options) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "Report the machines of the cluster with their conditions; exit with status 0 only if all are healthy",
		Long: `Reports each node of the cluster: whether it is ready, short of memory, disk or processes, and throttled (hot, or short of
power), which the edgelens that runs there measures. Whether a node without one is throttled is unknown, and does not count.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(cmd, o)
			if err != nil {
				return err
			}
			nodes, err := c.Nodes(cmd.Context())
			if err != nil {
				return err
			}
			healthy := !slices.ContainsFunc(nodes, func(n cluster.Node) bool { return !n.Healthy })
			err = asJSON.print(cmd, struct {
				Healthy bool           `json:"healthy"`
				Nodes   []cluster.Node `json:"nodes"`
			}{healthy, nodes}, func(out io.Writer) error { return printNodes(out, nodes) })
			if err == nil && !healthy {
				return errSilent
			}
			return err
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func printNodes(w io.Writer, nodes []cluster.Node) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tHEALTHY\tREADY\tMEMORY\tDISK\tPIDS\tTHROTTLED\tTEMPERATURE\tOTHER") // Flush returns the error
	pressure := map[cluster.State]string{cluster.Yes: "pressure", cluster.No: "ok", cluster.Unknown: "unknown"}
	for _, n := range nodes {
		temperature, others := "unknown", slices.Clone(n.Others)
		if n.Celsius != nil {
			temperature = fmt.Sprintf("%.0f °C", *n.Celsius)
		}
		if !n.Schedulable {
			others = append(others, "takes no new pods")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, yesNo(n.Healthy), n.Ready, pressure[n.MemoryPressure], pressure[n.DiskPressure],
			pressure[n.PIDPressure], n.Throttled, temperature, strings.Join(others, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, n := range nodes {
		for _, reason := range n.Reasons {
			if _, err := fmt.Fprintf(w, "%s: %s\n", n.Name, reason); err != nil {
				return err
			}
		}
		if n.ThrottledReason != "" {
			if _, err := fmt.Fprintf(w, "%s: whether it is throttled is unknown: %s\n", n.Name, n.ThrottledReason); err != nil {
				return err
			}
		}
	}
	return nil
}
