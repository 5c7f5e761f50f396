package runner

import (
	"fmt"
	"io"

	"edgelens/benchmarks/report"
	"edgelens/internal/console"
)

// Print writes the report of a run into its folder, and a short one to out; with targets, also whether they were met.
// The folder's name goes to progress.
func Print(dir string, out, progress io.Writer, targets func(*report.Summary) []report.Target) error {
	summary, err := report.Make(dir)
	if err != nil {
		return err
	}
	if err := summary.Text(out); err != nil {
		return err
	}
	if targets != nil {
		fmt.Fprintln(out) // the next writer returns the error
		if _, _, err := report.TargetsText(out, targets(summary)); err != nil {
			return err
		}
	}
	fmt.Fprintf(progress, "\nReport, plots and raw records: %s\n", dir) // progress only
	return nil
}

// PrintTargets writes the report of a run into its folder, and to out which of the project's targets it met. The error
// has the number of missed targets, or why the figures are invalid.
func PrintTargets(dir string, out, progress io.Writer) error {
	summary, err := report.Make(dir)
	if err != nil {
		return err
	}
	missed, unmeasured, err := report.TargetsText(out, report.Targets(summary))
	if err != nil {
		return err
	}
	reasons := summary.Run.Problems()
	for _, reason := range reasons {
		fmt.Fprintf(progress, "NOT GOOD: %s\n", reason) // the error has the first
	}
	fmt.Fprintf(progress, "Raw records and report: %s\n", dir) // progress only
	switch {
	case missed > 0:
		return fmt.Errorf("%d %s missed, %d not measured", missed, console.Plural(missed, "target"), unmeasured)
	case len(reasons) > 0:
		return fmt.Errorf("these figures are invalid: %s", reasons[0])
	}
	return nil
}
