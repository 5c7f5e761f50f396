package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"edgelens/api"
)

// printTraining prints the report of a version as tables.
func printTraining(out io.Writer, v api.HeadVersion) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	state := "a candidate, not live"
	if v.Live {
		state = "live"
	}
	fmt.Fprintf(t, "head\t%s, version %d, %s\n", v.Name, v.Version, state) // Flush returns it
	if r := v.Report; r != nil {
		method := r.Method
		if r.L2 != nil {
			method += fmt.Sprintf(", weight decay %g", *r.L2)
		}
		kind := "chosen to keep 95% of the right answers"
		if r.ThresholdGiven {
			kind = "given"
		}
		for _, row := range [][2]string{
			{"method", method},
			{"right, held out", accuracyText(*r)},
			{"calibration error", fmt.Sprintf("%.3f, and %.3f before the calibration", r.CalibrationErrorAfter, r.CalibrationErrorBefore)},
			{"unknown below", fmt.Sprintf("%.4g, %s; that are %d right and %d wrong answers", r.Threshold, kind, r.RightBelow, r.WrongBelow)},
			{"time", fmt.Sprintf("%.1f s", r.Ms/1000)},
		} {
			fmt.Fprintf(t, "%s\t%s\n", row[0], row[1]) // Flush returns it
		}
		if err := t.Flush(); err != nil {
			return err
		}
		return printConfusion(out, *r)
	}
	return t.Flush()
}

// accuracyText is the share of right answers with its interval.
func accuracyText(r api.TrainingReport) string {
	return fmt.Sprintf("%.1f%% (95%% interval %.1f to %.1f), %d of %d", 100*r.Accuracy, 100*r.Low, 100*r.High, r.Right, r.HeldOut)
}

// maxConfusion is how many labels a table of confusions has at most; then only the confusions are listed.
const maxConfusion = 10

// printConfusion prints what was taken for what.
func printConfusion(out io.Writer, r api.TrainingReport) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(r.Labels) > maxConfusion {
		for i, row := range r.Confusion {
			for j, n := range row {
				if i != j && n > 0 {
					fmt.Fprintf(t, "%d\tof %s taken for %s\t\n", n, r.Labels[i].Label, r.Labels[j].Label) // Flush returns it
				}
			}
		}
		return t.Flush()
	}
	fmt.Fprint(t, "\nlabel \\ taken for\t") // Flush returns it
	for _, l := range r.Labels {
		fmt.Fprintf(t, "%s\t", l.Label) // Flush returns it
	}
	fmt.Fprintln(t) // Flush returns it
	for i, row := range r.Confusion {
		fmt.Fprintf(t, "%s\t", r.Labels[i].Label) // Flush returns it
		for _, n := range row {
			fmt.Fprintf(t, "%d\t", n) // Flush returns it
		}
		fmt.Fprintln(t) // Flush returns it
	}
	return t.Flush()
}
