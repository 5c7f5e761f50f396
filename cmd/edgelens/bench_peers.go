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
	var asJSON jsonFlag
	c.Suites = []string{record.SuitePeers}
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "Compare with another service, by default the reference service",
		Long: `Starts the service in the folder --peer and edgelens, sends both the same image in the same
closed loop of 8 connections, alternately, and prints the ratio of their throughputs:

  the same model with the same flags    at the image's size and at 512x384
  the same without XNNPACK
  as published                          the model --peer-model without a delegate

"make bench-peers" first installs the dependencies of the reference service.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return bench(cmd, environ, c, report.PeerTargets, asJSON)
		},
	}
	addBenchFlags(cmd, &c)
	asJSON.add(cmd, "")
	addPeerFlags(cmd, &c, filepath.Join("benchmarks", "peers", "flask"))
	return cmd
}
