package main

import (
	"github.com/spf13/cobra"

	"edgelens/benchmarks/runner"
	"edgelens/benchmarks/suite"
	"edgelens/inference/runtimes"
)

// newBenchModelChild measures a model in a separate process, for bench.
func newBenchModelChild() *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:    runner.ChildCommand[1],
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return suite.MeasureModelForParent(cmd.Context(), runtimes.New(runtimes.Config{Folder: folder}), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&folder, runner.ChildFolderFlag, "", "folder that may hold LiteRT")
	return cmd
}
