package runner

import (
	"fmt"
	"io"

	"edgelens/benchmarks/report"
	"edgelens/internal/console"
)

// Print writes the report of a run into its folder, and a short one, or JSON, to out; with targets, also whether they
// were met. The folder's name goes to progress.
func Print(dir string, out, progress io.Writer, targets func(*report.Summary) []report.Target, asJSON bool) error {
	summary, err := report.Make(dir)
	if err != nil {
		return err
	}
	var met []report.Target
	if targets != nil {
		met = targets(summary)
	}
	if asJSON {
		err = summary.JSON(out, dir, met)
	} else {
		err = text(out, summary, met)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "\nReport, plots and raw records: %s\n", dir) // progress only
	return nil
}

// text prints the summary, and the targets if there are some.
func text(out io.Writer, summary *report.Summary, targets []report.Target) error {
	if err := summary.Text(out); err != nil || targets == nil {
		return err
	}
	fmt.Fprintln(out) // the next writer returns the error
	return report.TargetsText(out, targets)
}

// PrintTargets writes the report of a run into its folder, and to out which of the project's targets it met, as text or
// JSON. The error has the number of missed targets, or why the figures are invalid.
func PrintTargets(dir string, out, progress io.Writer, asJSON bool) error {
	summary, err := report.Make(dir)
	if err != nil {
		return err
	}
	targets := report.Targets(summary)
	missed, unmeasured := report.CountTargets(targets)
	if asJSON {
		err = summary.JSON(out, dir, targets)
	} else {
		err = report.TargetsText(out, targets)
	}
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
