package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/report"
	"edgelens/benchmarks/stats"
	"edgelens/benchmarks/suite"
	"edgelens/internal/config"
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
			var runs [2]*report.Summary
			for i, dir := range args {
				records, err := record.Read(dir)
				if err != nil {
					return err
				}
				runs[i] = report.Summarize(records)
			}
			compared := report.Compare(runs[0], runs[1], rules)
			if err := compared.Text(cmd.OutOrStdout()); err != nil {
				return err
			}
			if worse := compared.Worse(); fail && worse > 0 {
				return fmt.Errorf("%d %s worse", worse, plural(worse, "figure"))
			}
			return nil
		},
	}
	cmd.Flags().Float64Var(&percent, "threshold", percent, "least change of the median that matters, in percent")
	cmd.Flags().BoolVar(&fail, "fail", false, "exit with 1 where something got worse")
	return cmd
}

func newBenchTargets(environ []string) *cobra.Command {
	flags := &benchFlags{
		kinds: []string{suite.KindSync, suite.KindCached}, connections: []int{report.TargetConnections}, loads: []float64{0.7},
		openConnections: 64, noStages: true,
	}
	var from string
	cmd := &cobra.Command{
		Use:   "targets",
		Short: "Measure what the project promises, and exit with 1 where it is missed",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			if from == "" {
				which := []string{"pipeline", "http"}
				if flags.peer != "" {
					which = append(which, suite.SuitePeers)
				}
				if from, err = measure(cmd, c, flags, which); err != nil {
					return err
				}
			}
			return printTargets(cmd, from)
		},
	}
	flags.addCommon(cmd)
	flags.addSoak(cmd, 10*time.Minute)
	flags.addPeer(cmd, "")
	cmd.Flags().StringVar(&from, "from", "", "judge this folder in place of measuring")
	config.AddFlags(cmd.Flags(), benchSettings...)
	return cmd
}

func printTargets(cmd *cobra.Command, dir string) error {
	summary, err := report.Make(dir)
	if err != nil {
		return err
	}
	missed, unmeasured, err := report.TargetsText(cmd.OutOrStdout(), report.Targets(summary))
	if err != nil {
		return err
	}
	errs := summary.Run.Problems()
	for _, problem := range errs {
		fmt.Fprintf(cmd.ErrOrStderr(), "NOT GOOD: %s\n", problem) // only talk
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Raw records and report: %s\n", dir) // only talk
	switch {
	case missed > 0:
		return fmt.Errorf("%d %s missed, %d not measured", missed, plural(missed, "target"), unmeasured)
	case len(errs) > 0:
		return fmt.Errorf("these figures are not good: %s", errs[0])
	}
	return nil
}
