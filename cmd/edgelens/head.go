package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"edgelens/api"
	"edgelens/internal/client"
)

func newHead(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "head", Short: "Train small classifiers of your own on a dataset, and manage them"}
	cmd.AddCommand(newHeadTrain(environ), newHeadList(environ), newHeadShow(environ), newHeadRollback(environ), newHeadDelete(environ), newHeadExport(environ))
	return cmd
}

func newHeadList(environ []string) *cobra.Command {
	var c client.Client
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the heads", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := c.Heads(cmd.Context())
			if err != nil {
				return err
			}
			return asJSON.print(cmd, list.Heads, func(out io.Writer) error { return printHeads(out, list.Heads) })
		},
	}
	addServerFlags(cmd, &c, environ)
	asJSON.add(cmd, "")
	return cmd
}

func newHeadShow(environ []string) *cobra.Command {
	var c client.Client
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Print the versions of a head, and the report of the live one", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := c.Head(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return asJSON.print(cmd, h, func(out io.Writer) error {
				if err := printHeads(out, h.Versions); err != nil {
					return err
				}
				for _, v := range h.Versions {
					if v.Live && v.Report != nil {
						fmt.Fprintln(out) // the report returns the error
						return printTraining(out, v)
					}
				}
				return nil
			})
		},
	}
	addServerFlags(cmd, &c, environ)
	asJSON.add(cmd, "")
	return cmd
}

func newHeadRollback(environ []string) *cobra.Command {
	var c client.Client
	var version int
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "rollback NAME", Short: "Make an earlier version of a head live, or any with --version", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := c.RollbackHead(cmd.Context(), args[0], version)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, v, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "version %d of %s is live\n", v.Version, v.Name)
				return err
			})
		},
	}
	addServerFlags(cmd, &c, environ)
	cmd.Flags().IntVar(&version, "version", 0, "the version to make live (default: the newest that is older than the live one)")
	asJSON.add(cmd, "")
	return cmd
}

func newHeadDelete(environ []string) *cobra.Command {
	var c client.Client
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a head with all its versions; its dataset stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.RemoveHead(cmd.Context(), args[0]); err != nil {
				return err
			}
			return asJSON.print(cmd, struct {
				Name string `json:"name"`
			}{args[0]}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%s is deleted\n", args[0])
				return err
			})
		},
	}
	addServerFlags(cmd, &c, environ)
	asJSON.add(cmd, "")
	return cmd
}

// printHeads prints a row for each version.
func printHeads(out io.Writer, versions []api.HeadVersion) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tVERSION\tLIVE\tMETHOD\tLABELS\tEXAMPLES\tHELD OUT\tEXTRACTOR\tNOTE") // Flush returns it
	for _, v := range versions {
		live, heldOut := "no", ""
		if v.Live {
			live = "yes"
		}
		if v.Report != nil {
			heldOut = accuracyText(*v.Report)
		}
		examples := 0
		if v.Examples != nil {
			examples = *v.Examples
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", v.Name, v.Version, live, textOf(v.Method), len(v.Labels), examples, heldOut, textOf(v.Extractor), textOf(v.Problem)) // Flush returns it
	}
	return t.Flush()
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
