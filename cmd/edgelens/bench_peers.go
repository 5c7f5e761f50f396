package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
	"edgelens/benchmarks/runner"
)

func newBenchPeers(environ []string) *cobra.Command {
	c := runner.DefaultConfig()
	c.Suites = []string{record.SuitePeers}
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "Measure another service beside ours, by default the article's",
		Long: `Starts the service in the folder --peer and ours, sends both the same image by the same
closed loop of 8 connections, by turns, and prints how many times the throughput ours has:

  the same model with the same flags    at the image's size and at 512x384
  the same without XNNPACK
  as it was published                   the model --peer-model without a delegate

"make bench-peers" installs what the article's service needs first.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return bench(cmd, environ, c, report.PeerTargets)
		},
	}
	addBenchFlags(cmd, &c)
	addPeerFlags(cmd, &c, filepath.Join("benchmarks", "peers", "flask"))
	return cmd
}
