package main

import (
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
	"edgelens/benchmarks/runner"
)

func newBenchTargets(environ []string) *cobra.Command {
	c := runner.DefaultConfig()
	c.NoStages = true
	c.HTTP.Kinds, c.HTTP.Connections, c.HTTP.Loads = []string{record.KindSync, record.KindCached}, []int{report.TargetConnections, 16, report.ManyConnections}, []float64{0.7}
	var from string
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "targets",
		Short: "Measure the project's performance targets; exit with status 1 if one is missed",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c.Suites = []string{"pipeline", "http"}
			if c.Peer != "" {
				c.Suites = append(c.Suites, record.SuitePeers)
			}
			if from == "" {
				if from, err = runBench(cmd, environ, c); err != nil {
					return err
				}
			}
			return runner.PrintTargets(from, cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON.set)
		},
	}
	addBenchFlags(cmd, &c)
	addSoakFlag(cmd, &c, 10*time.Minute)
	addPeerFlags(cmd, &c, "")
	asJSON.add(cmd, "")
	cmd.Flags().StringVar(&from, "from", "", "evaluate this folder instead of measuring")
	return cmd
}
