package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/report"
	"edgelens/benchmarks/stats"
	"edgelens/internal/console"
)

func newBenchReport() *cobra.Command {
	return &cobra.Command{
		Use:   "report FOLDER",
		Short: "Make report.md and the plots again, from the raw records",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			summary, err := report.Make(args[0])
			if err != nil {
				return err
			}
			return summary.Text(cmd.OutOrStdout())
		},
	}
}

func newBenchCompare() *cobra.Command {
	rules := stats.DefaultRules()
	percent, fail := 100*rules.Threshold, false
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Say what changed between two runs, and what is noise",
		Long: `Compares two folders that bench has made, case by case. A change is told from noise by two
things together: the Mann-Whitney test over the runs (p < 0.05), and the size (--threshold).
With fewer than four runs on a side nothing can be said; five are the default of bench.`,
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
			if err := compared.Text(cmd.OutOrStdout()); err != nil {
				return err
			}
			if worse := compared.Worse(); fail && worse > 0 {
				return fmt.Errorf("%d %s worse", worse, console.Plural(worse, "figure"))
			}
			return nil
		},
	}
	cmd.Flags().Float64Var(&percent, "threshold", percent, "least change of the median that matters, in percent")
	cmd.Flags().BoolVar(&fail, "fail", false, "exit with 1 where something got worse")
	return cmd
}
