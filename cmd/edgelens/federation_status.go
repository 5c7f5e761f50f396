package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/learn/federation"
	"edgelens/learn/federation/coordinator"
	"edgelens/learn/federation/participant"
)

func newFederationStatus(environ []string) *cobra.Command {
	var follow bool
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "status", Short: "Show the federation, or this node's part in it", Args: noArgs,
		Long: `Shows the state of the coordinator, or of the node's part, that runs in the data folder. --follow shows the
progress of a round until it is interrupted.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for {
				answer, err := statusOfFederation(cmd, environ)
				if err != nil {
					return err
				}
				if err := asJSON.print(cmd, answer, func(out io.Writer) error { return printFederation(out, answer) }); err != nil || !follow {
					return err
				}
				select {
				case <-time.After(time.Second):
				case <-cmd.Context().Done():
					return nil
				}
			}
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "show it every second until interrupted")
	asJSON.add(cmd, ", with --follow one line a second")
	return cmd
}

// printFederation prints a status by its role.
func printFederation(out io.Writer, answer federation.StatusAnswer) error {
	if answer.Role == federation.RoleCoordinator {
		var s coordinator.Status
		if err := json.Unmarshal(answer.Status, &s); err != nil {
			return err
		}
		return printCoordinator(out, s)
	}
	var s participant.Status
	if err := json.Unmarshal(answer.Status, &s); err != nil {
		return err
	}
	return printParticipant(out, s)
}

func printCoordinator(out io.Writer, s coordinator.Status) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "head\t%s, version %d, of %s\n", s.Definition.Head, s.Head.Version, strings.Join(s.Definition.Labels, ", "))
	fmt.Fprintf(w, "rounds\t%d, %d of them gave a candidate\n", s.Rounds, s.Candidates)
	for _, m := range s.Members {
		state := "ready"
		if m.Obstacle != "" {
			state = m.Obstacle
		}
		fmt.Fprintf(w, "node %s\t%d examples, %d held out; %s\n", m.Name, m.Examples, m.HeldOut, state)
	}
	for _, name := range s.Invited {
		fmt.Fprintf(w, "node %s\tinvited\n", name)
	}
	if r := s.Round; r != nil {
		fmt.Fprintf(w, "round %d\t%s, %s left\n", r.Number, r.Phase, r.Left)
		for _, n := range r.Nodes {
			fmt.Fprintf(w, "  %s\t%s %s\n", n.Name, bar(n.Received, n.Bytes), n.State)
		}
	}
	return w.Flush()
}

// bar returns a progress bar.
func bar(done, all int64) string {
	const width = 20
	filled := 0
	if all > 0 {
		filled = int(min(width, width*done/all))
	}
	return "[" + strings.Repeat("#", filled) + strings.Repeat(".", width-filled) + "]"
}

func printParticipant(out io.Writer, s participant.Status) error {
	if !s.Joined {
		_, err := fmt.Fprintln(out, "this node takes part in no federation")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "node\t%s of %s, answered %s\n", s.Node, s.URL, s.Contact.Local().Format(time.DateTime))
	fmt.Fprintf(w, "head\t%s, version %d, of round %d\n", s.Head, s.Version, max(0, s.Live.Version-1))
	examples := 0
	for _, count := range s.Examples {
		examples += count
	}
	fmt.Fprintf(w, "dataset\t%s: %d examples to train on, %d held out\n", s.Dataset, examples, s.HeldOut)
	epsilon := "no bound, as there is no noise"
	if s.Epsilon != nil {
		epsilon = fmt.Sprintf("epsilon %.3g at delta %g", *s.Epsilon, s.Delta)
	}
	fmt.Fprintf(w, "updates\t%d; privacy: %s\n", s.Updates, epsilon)
	for _, line := range []struct{ name, text string }{{"problem", s.Problem}, {"not ready", s.Unready}, {"now", s.Doing}} {
		if line.text != "" {
			fmt.Fprintf(w, "%s\t%s\n", line.name, line.text)
		}
	}
	return w.Flush()
}
