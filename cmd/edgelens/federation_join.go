package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"edgelens/learn/federation"
	"edgelens/learn/federation/participant"
)

func newFederationJoin(environ []string) *cobra.Command {
	var request participant.JoinRequest
	var ca string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "join URL --token TOKEN --dataset NAME", Short: "Have this node take part in a federation", Args: cobra.ExactArgs(1),
		Long: `Has the running node of the data folder take part in the federation of a coordinator, until it leaves. It trains on
the examples of a dataset; the images, their embeddings and the labels of single images stay on the node. What is
sent is listed in docs/federation.md.`,
		Example: `  edgelens federation join https://coordinator:8443 --token elf_... --dataset gate
  edgelens federation join http://127.0.0.1:8090 --token elf_... --dataset gate --head gate --data-dir north`,
		RunE: func(cmd *cobra.Command, args []string) error {
			request.URL = args[0]
			if ca != "" {
				text, err := os.ReadFile(ca)
				if err != nil {
					return err
				}
				request.CA = string(text)
			}
			var status participant.Status
			if err := runFederation(cmd, environ, federation.CommandJoin, request, &status); err != nil {
				return err
			}
			return asJSON.print(cmd, status, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "joined as %s: the head %s is learned with the dataset %s\n", status.Node, status.Head, status.Dataset)
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&request.Token, "token", "", "token that `federation invite` printed")
	f.StringVar(&request.Dataset, "dataset", "", "dataset of this node that it trains on")
	f.StringVar(&request.Head, "head", "", "name of the head on this node (default: that of the federation)")
	f.StringVar(&ca, "ca", "", "file with the certificates to trust for HTTPS (PEM), in place of the system's")
	for _, name := range []string{"token", "dataset"} {
		_ = cmd.MarkFlagRequired(name) // it exists
	}
	asJSON.add(cmd, "")
	return cmd
}

func newFederationLeave(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "leave", Short: "End this node's part in the federation", Args: noArgs,
		Long: `Ends the part of the running node in its federation. The heads that it got stay. --data-dir is the folder of the
node; the coordinator forgets it by "edgelens federation remove".`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := runFederation(cmd, environ, federation.CommandLeave, emptyRequest{}, &emptyRequest{}); err != nil {
				return err
			}
			return asJSON.print(cmd, emptyRequest{}, func(out io.Writer) error {
				_, err := fmt.Fprintln(out, "left the federation")
				return err
			})
		},
	}
	asJSON.add(cmd, "")
	return cmd
}
