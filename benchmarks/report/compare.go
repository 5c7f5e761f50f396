package report

import (
	"fmt"
	"io"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/stats"
	"edgelens/benchmarks/table"
)

// Difference is one metric of one case, in two runs.
type Difference struct {
	Case   string
	Metric Metric // of the new run
	stats.Comparison
}

// Worse reports a change for the worse.
func (d Difference) Worse() bool {
	return d.Verdict == stats.Changed && (d.Change < 0) == d.Metric.HigherIsBetter
}

// Compared is the comparison of two runs.
type Compared struct {
	Differences []Difference
	// Unlike lists differences that make the runs hard to compare; OnlyOld and OnlyNew are cases of one run.
	Unlike           []string
	OnlyOld, OnlyNew []string
	rules            stats.Rules
}

// compared are the metrics that get a verdict; the others depend on them.
var compared = []string{Throughput, CPU, P50, P99, Memory, Ready, Idle, "first inference", "init", "memory overall", "memory further"}

// CompareFolders compares the runs in two folders.
func CompareFolders(old, now string, rules stats.Rules) (*Compared, error) {
	before, err := record.Read(old)
	if err != nil {
		return nil, err
	}
	after, err := record.Read(now)
	if err != nil {
		return nil, err
	}
	return Compare(Summarize(before), Summarize(after), rules), nil
}

// Compare compares two runs.
func Compare(old, now *Summary, rules stats.Rules) *Compared {
	c := &Compared{rules: rules, Unlike: unlike(old, now)}
	known := map[string]*Case{}
	for _, o := range old.Cases {
		known[o.Key()] = o
	}
	for _, n := range now.Cases {
		o := known[n.Key()]
		if o == nil {
			c.OnlyNew = append(c.OnlyNew, n.Key())
			continue
		}
		delete(known, n.Key())
		for _, name := range compared {
			before, hadIt := o.Metric(name)
			after, hasIt := n.Metric(name)
			if hadIt && hasIt {
				c.Differences = append(c.Differences, Difference{n.Key(), after, stats.Compare(before.Values, after.Values, rules)})
			}
		}
	}
	for _, o := range old.Cases {
		if known[o.Key()] != nil {
			c.OnlyOld = append(c.OnlyOld, o.Key())
		}
	}
	return c
}

// unlike returns the differing conditions of the runs, and why one is invalid.
func unlike(old, now *Summary) []string {
	var lines []string
	for _, pair := range []struct{ what, old, now string }{
		{"board", old.Run.Board.Model, now.Run.Board.Model},
		{"CPU", old.Run.Board.CPU, now.Run.Board.CPU},
		{"kernel", old.Run.Board.Kernel, now.Run.Board.Kernel},
		{"governor", old.Run.Before.Governor, now.Run.Before.Governor},
		{"model", old.Run.Digest, now.Run.Digest},
	} {
		if pair.old != pair.now {
			lines = append(lines, fmt.Sprintf("%s: %s, now %s", pair.what, orUnknown(pair.old), orUnknown(pair.now)))
		}
	}
	if old.Run.Settings != now.Run.Settings {
		lines = append(lines, "the service's settings differ; see run.json")
	}
	for _, run := range []struct {
		which string
		*Summary
	}{{"the old run", old}, {"the new run", now}} {
		for _, problem := range run.Run.Problems() {
			lines = append(lines, fmt.Sprintf("NOT GOOD: %s: %s", run.which, problem))
		}
	}
	return lines
}

// Worse counts changes for the worse.
func (c *Compared) Worse() int {
	n := 0
	for _, d := range c.Differences {
		if d.Worse() {
			n++
		}
	}
	return n
}

// Text writes the changes.
func (c *Compared) Text(w io.Writer) error {
	for _, line := range c.Unlike {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	rows := [][]string{{"case", "metric", "old", "new", "change", "95% interval", "p", "verdict"}}
	changed := 0
	for _, d := range c.Differences {
		verdict := string(d.Verdict)
		if d.Verdict == stats.Changed {
			changed++
			verdict = "better"
			if d.Worse() {
				verdict = "WORSE"
			}
		}
		rows = append(rows, []string{d.Case, d.Metric.Name, number(d.Old) + unit(d.Metric.Unit), number(d.New) + unit(d.Metric.Unit),
			fmt.Sprintf("%+.1f%%", 100*d.Change), fmt.Sprintf("%+.1f%% to %+.1f%%", 100*d.Interval.Low, 100*d.Interval.High), fmt.Sprintf("%.3f", d.P), verdict})
	}
	if err := table.Text(w, rows); err != nil {
		return err
	}
	for _, only := range []struct {
		which string
		cases []string
	}{{"old", c.OnlyOld}, {"new", c.OnlyNew}} {
		for _, name := range only.cases {
			if _, err := fmt.Fprintf(w, "only in the %s run: %s\n", only.which, name); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d changed: Mann-Whitney p < %g over the runs, and medians at least %g%% apart. By chance, up to %.1f of %d would have such a p.\n",
		changed, len(c.Differences), c.rules.Alpha, 100*c.rules.Threshold, c.rules.Alpha*float64(len(c.Differences)), len(c.Differences))
	return err
}
