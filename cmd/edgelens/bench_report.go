package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/report"
	"edgelens/benchmarks/runner"
	"edgelens/benchmarks/stats"
	"edgelens/internal/console"
)

func newBenchReport() *cobra.Command {
	var asJSON jsonFlag
	cmd := &cobra.Command{
		Use:   "report FOLDER",
		Short: "Regenerate report.md and the plots from the raw records",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runner.Report(args[0], cmd.OutOrStdout(), asJSON.set)
		},
	}
	asJSON.add(cmd, "")
	return cmd
}

func newBenchCompare() *cobra.Command {
	rules := stats.DefaultRules()
	var asJSON jsonFlag
	percent, fail := 100*rules.Threshold, false
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Compare two runs and separate changes from noise",
		Long: `Compares two folders of bench, case by case. A change is significant where both the
Mann-Whitney test over the runs (p < 0.05) and its size (--threshold) agree. Fewer than four
runs on a side are inconclusive; five are the default of bench.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !(percent >= 0 && percent <= 100) {
				return fmt.Errorf("--threshold must be 0 to 100 percent, not %v", percent)
			}
			rules.Threshold = percent / 100
			compared, err := report.CompareFolders(args[0], args[1], rules)
			if err != nil {
				return err
			}
			show := compared.Text
			if asJSON.set {
				show = compared.JSON
			}
			if err := show(cmd.OutOrStdout()); err != nil {
				return err
			}
			if worse := compared.Worse(); fail && worse > 0 {
				return fmt.Errorf("%d %s worse", worse, console.Plural(worse, "figure"))
			}
			return nil
		},
	}
	asJSON.add(cmd, "")
	cmd.Flags().Float64Var(&percent, "threshold", percent, "minimum relevant change of the median, in percent")
	cmd.Flags().BoolVar(&fail, "fail", false, "exit with status 1 if a figure got worse")
	return cmd
}
