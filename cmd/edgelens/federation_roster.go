package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgelens/learn/federation"
)

func newFederationInvite(environ []string) *cobra.Command {
	var within time.Duration
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "invite NAME", Short: "Print a token by which a node joins the federation, once", Args: cobra.ExactArgs(1),
		Long: `Prints a token by which a node joins under that name: its public key is then pinned to the name. The token has the
id of the coordinator's key, so that the node joins no other one. --data-dir is the folder of the coordinator.`,
		Example: `  edgelens federation invite north --data-dir coordinator`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var invited federation.Invited
			if err := runFederation(cmd, environ, federation.CommandInvite, federation.InviteRequest{Node: args[0], Within: within}, &invited); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Token for %s, shown only now: it can be used once, until %s, with `edgelens federation join`.\n", invited.Node, invited.Expires.Local().Format(time.DateTime))
			return asJSON.print(cmd, invited, func(out io.Writer) error {
				_, err := fmt.Fprintln(out, invited.Token)
				return err
			})
		},
	}
	cmd.Flags().DurationVar(&within, "within", federation.DefaultTokenTime, "how long the token can be used")
	asJSON.add(cmd, "")
	return cmd
}

func newFederationRemove(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Remove a node from the federation", Args: cobra.ExactArgs(1),
		Long: `Ends the membership of a node, or its invitation: its messages are refused from then on. A round in progress goes
on without it. --data-dir is the folder of the coordinator.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := runFederation(cmd, environ, federation.CommandRemove, federation.NodeRequest{Node: args[0]}, &emptyRequest{}); err != nil {
				return err
			}
			return asJSON.print(cmd, jsonNode{args[0]}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "node %s removed\n", args[0])
				return err
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}
