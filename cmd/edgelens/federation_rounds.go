package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"edgelens/identity/signing"
	"edgelens/learn/federation"
	"edgelens/learn/federation/coordinator"
	"edgelens/learn/federation/receipts"
)

func newFederationRounds(environ []string) *cobra.Command {
	request := federation.RoundsRequest{Limit: 20}
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "rounds", Short: "List the rounds that ended, with who took part and what came of them", Args: noArgs,
		Long: `Lists the newest rounds, the oldest of them first. The loss is that of the training, a mean over the nodes.
--data-dir is the folder of the coordinator.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rounds []coordinator.RoundStatus
			if err := runFederation(cmd, environ, federation.CommandRounds, request, &rounds); err != nil {
				return err
			}
			return asJSON.print(cmd, rounds, func(out io.Writer) error { return printRounds(out, rounds) })
		},
	}
	cmd.Flags().IntVar(&request.Limit, "limit", request.Limit, "maximum number of rounds")
	asJSON.add(cmd, "")
	return cmd
}

func printRounds(out io.Writer, rounds []coordinator.RoundStatus) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ROUND\tOUTCOME\tLOSS BEFORE\tAFTER\tTOOK\tNODES\tREASON")
	for _, r := range rounds {
		nodes := ""
		for _, n := range r.Nodes {
			if nodes != "" {
				nodes += " "
			}
			nodes += n.Name
			if n.State != "accepted" {
				nodes += "(" + n.State + ")"
			}
		}
		fmt.Fprintf(w, "%d\t%s\t%.4f\t%.4f\t%v\t%s\t%s\n", r.Number, r.Outcome, r.LossBefore, r.LossAfter, r.Ended.Sub(r.Started).Round(100*time.Millisecond), nodes, r.Reason)
	}
	return w.Flush()
}

func newFederationReceipts(environ []string) *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use: "receipts", Short: "Print and verify what was asked, sent and received", Args: noArgs,
		Long: `Prints the receipts of the coordinator, or of the node's part, that runs in the data folder, and verifies that they
follow each other without a gap and are signed by its keys. The exit status is 1 where they do not. --json prints
them as they are, one a line: "edgelens verify" verifies their signatures by published keys.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer federation.ReceiptsAnswer
			if err := runFederation(cmd, environ, federation.CommandReceipts, emptyRequest{}, &answer); err != nil {
				return err
			}
			all, failed := receipts.Verify([]byte(answer.Receipts), signing.Party{}, answer.Keys...)
			if asJSON.set {
				_, err := io.WriteString(cmd.OutOrStdout(), answer.Receipts)
				return errors.Join(err, failed)
			}
			return errors.Join(printReceipts(cmd.OutOrStdout(), all, failed == nil), failed)
		},
	}
	asJSON.add(cmd, ", one receipt a line")
	return cmd
}

func printReceipts(out io.Writer, all []receipts.Receipt, whole bool) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, r := range all {
		fmt.Fprintf(w, "%d\t%s\tround %d\t%s\t%s\t%s\n", r.Seq, r.At.Local().Format(time.DateTime), r.Round, r.What, r.Node, r.Details)
	}
	if whole {
		fmt.Fprintf(w, "%d receipts follow each other without a gap, and are signed\n", len(all))
	}
	return w.Flush()
}
