package runner

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"edgelens/benchmarks/stats"
	"edgelens/benchmarks/suite"
	"edgelens/benchmarks/tune"
	"edgelens/internal/tuned"
)

// print writes the table of the model alone.
func (t *modelTuning) print(out io.Writer, tried []tune.Tried[suite.ModelSetting]) error {
	fmt.Fprintf(out, "The model alone, one thread; answers to %d images beside those of TensorFlow Lite's own kernels:\n", len(t.reference)) // Flush returns the error
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUNTIME\tRUNS ON\tDELEGATE\tFILE\tRUNS\tMEDIAN\tSAME FIRST CLASS\tOR CLOSE\tCORRELATION\tNOTE")
	for _, one := range tried {
		s := one.Candidate
		name, delegate, same, closely, correlation, median, note := s.Runtime, s.Delegate, "-", "-", "-", "-", ""
		if ran := t.ran[s]; ran != nil {
			a := t.agreements[s]
			name, delegate = ran.Runtime+" "+ran.Version, ran.Delegate
			same, closely, correlation = fmt.Sprintf("%.0f%%", 100*a.Top1()), fmt.Sprintf("%.0f%%", 100*a.SameOrClose()), fmt.Sprintf("%.3f", a.Correlation)
		}
		if len(one.Values) > 0 {
			median = fmt.Sprintf("%.2f ms", -one.Score())
		}
		if err := t.problem(one); err != nil {
			note = fmt.Sprintf("not chosen: %.160s", err)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", name, cmp.Or(s.Accelerator, "cpu"), delegate, fileText(s.Variant), len(one.Values), median, same, closely, correlation, note)
	}
	return w.Flush()
}

// fileText is a variant in the table.
func fileText(variant string) string {
	switch variant {
	case suite.VariantInt8:
		return "requantized to int8"
	case suite.VariantFloat32:
		return "float32"
	}
	return "as it is"
}

// printServices writes the table of the service.
func printServices(out io.Writer, tried []tune.Tried[tuned.Settings], before tuned.Settings, goal string) error {
	fmt.Fprint(out, "\nThe service:\n") // Flush returns the error
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RUNTIME\tDELEGATE\tREQUANTIZE\tACCELERATORS\tINTERPRETERS\tTHREADS\tRUNS\tMEDIAN\tNOTE")
	for _, one := range tried {
		text, note := fmt.Sprintf("%.1f/s", one.Score()), ""
		if goal == GoalLatency {
			text = fmt.Sprintf("p95 %.1f ms", -one.Score())
		}
		if one.Err != nil {
			text = fmt.Sprintf("failed: %.100s", one.Err.Error())
		}
		s := one.Candidate
		if s == before {
			note = "as set so far"
		}
		fmt.Fprintf(t, "%s\t%s\t%t\t%s\t%d\t%d\t%d\t%s\t%s\n", s.Runtime, s.Delegate, s.Requantize, cmp.Or(s.Accelerators, "none"), s.Interpreters, s.Threads, len(one.Values), text, note)
	}
	return t.Flush()
}

// medianInvoke is the median duration.
func medianInvoke(runs []suite.Inference) time.Duration {
	seconds := make([]float64, len(runs))
	for i, run := range runs {
		seconds[i] = run.End.Sub(run.Begin).Seconds()
	}
	return time.Duration(stats.Median(seconds) * float64(time.Second))
}
