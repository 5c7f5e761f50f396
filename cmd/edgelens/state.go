package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/api"
	"edgelens/internal/client"
	"edgelens/internal/clip"
)

func newState(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "state", Short: "List what the images of places show, such as whether a gate is open"}
	cmd.AddCommand(newStateList(environ), newStateShow(environ))
	return cmd
}

func newStateList(environ []string) *cobra.Command {
	var c client.Client
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "list", Short: "List the states of the setting states.list", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := c.States(cmd.Context())
			if err != nil {
				return err
			}
			return asJSON.print(cmd, list, func(out io.Writer) error {
				t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "NAME\tSTATE\tSINCE\tDEVICE\tMODEL\tLAST IMAGE\tPROBLEM") // Flush returns the error
				for _, s := range list.States {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, stateText(&s), momentOr(s.Since), cmp.Or(s.Device, "-"), s.Model, momentOr(s.ImageAt), problemOf(&s))
				}
				return t.Flush()
			})
		},
	}
	addServerFlags(cmd, &c, environ)
	asJSON.add(cmd, "")
	return cmd
}

func newStateShow(environ []string) *cobra.Command {
	var c client.Client
	var limit int
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a state with its latest changes and answers", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			history, err := c.State(cmd.Context(), args[0], limit)
			if err != nil {
				return err
			}
			return asJSON.print(cmd, history, func(out io.Writer) error { return printState(out, &history) })
		},
	}
	addServerFlags(cmd, &c, environ)
	cmd.Flags().IntVar(&limit, "limit", 20, "maximum number of changes")
	asJSON.add(cmd, "")
	return cmd
}

func printState(out io.Writer, h *api.StateHistory) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	s := &h.State
	fmt.Fprintf(t, "%s\t%s since %s\n", s.Name, stateText(s), momentOr(s.Since)) // Flush returns the error
	if problem := problemOf(s); problem != "" {
		fmt.Fprintf(t, "problem\t%s\n", problem)
	}
	for _, a := range s.Answers {
		fmt.Fprintf(t, "answer\t%s\t%s\t%.2f\t%s\n", moment(a.At), clip.Line(a.Label, 60), a.Probability, a.Outcome)
	}
	for _, one := range h.Changes {
		former := "unknown"
		if one.Former != nil {
			former = *one.Former
		}
		fmt.Fprintf(t, "change\t%s\t%s to %s\t%.2f\t%s\n", moment(one.At), clip.Line(former, 60), clip.Line(one.State, 60), one.Confidence, one.Model.Name)
	}
	return t.Flush()
}

// stateText returns the state in words.
func stateText(s *api.State) string {
	text := "unknown"
	if s.State != nil {
		text = clip.Line(*s.State, 60)
	}
	if s.Stale {
		text += " (stale)"
	}
	return text
}

func problemOf(s *api.State) string {
	if s.Problem == nil {
		return ""
	}
	return clip.Line(*s.Problem, 200)
}

func moment(at time.Time) string { return at.Local().Format(time.DateTime) }

func momentOr(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return moment(*at)
}
