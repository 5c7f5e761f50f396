package accuracy

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"edgelens/benchmarks/table"
	"edgelens/internal/console"
)

// Bounds of what a report lists.
const (
	maxNamed      = 5
	maxConfusions = 10
)

// tables are the tables of a report.
func (s *Summary) tables() []table.Table {
	var all []table.Table
	for _, in := range s.Frames {
		all = append(all, in.variants(s.Run.Classes))
	}
	if len(s.Required) > 0 {
		all = append(all, s.requirements())
	}
	for _, in := range s.Frames {
		if len(in.Confusions) > 0 {
			all = append(all, in.confusions())
		}
		all = append(all, in.reliability(), in.thresholds())
	}
	return all
}

// title adds what a table of one variant is about.
func (in InFrame) title(text string) string {
	return fmt.Sprintf("%s: %s, images %s", text, in.Variants[0].Name, shownIn(in.Frame))
}

func shownIn(frame string) string {
	if frame == asIs {
		return "as they are"
	}
	return "somewhere in a frame of " + frame
}

func (in InFrame) variants(classes int) table.Table {
	t := table.Table{Title: "Images " + shownIn(in.Frame), Rows: [][]string{{"variant", "images", "top-1 %", "95% interval", "top-5 %", "95% interval", "median ms",
		"compared with", "points", "right alone: other / this", "p", "difference"}}}
	if classes <= TopK { // all are among the first five
		t.Rows[0] = slices.Delete(t.Rows[0], 4, 6)
	}
	for _, m := range in.Variants {
		row := append([]string{m.Name, fmt.Sprint(m.Top1.N)}, m.Top1.cells()...)
		if m.Top5 != nil {
			row = append(row, m.Top5.cells()...)
		}
		row = append(row, fmt.Sprintf("%.1f", m.MedianMS))
		if p := m.Paired; p != nil {
			row = append(row, p.Beside, fmt.Sprintf("%+.1f", p.Points), fmt.Sprintf("%d / %d", p.OnlyBeside, p.OnlyThis), pValue(p.P), p.Words())
		} else {
			row = append(row, "", "", "", "", "")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// cells are a share and its interval.
func (s Share) cells() []string {
	if s.N == 0 {
		return []string{"-", "-"}
	}
	return []string{percent(s.Value), fmt.Sprintf("%s to %s", percent(s.Low), percent(s.High))}
}

func percent(share float64) string { return fmt.Sprintf("%.1f", 100*share) }

func pValue(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}

func (in InFrame) confusions() table.Table {
	wrong := 0
	for _, c := range in.Confusions {
		wrong += c.Count
	}
	t := table.Table{Title: in.title(fmt.Sprintf("Confusions, the most frequent of %d", wrong)), Rows: [][]string{{"is", "answered", "count"}}}
	for _, c := range in.Confusions[:min(maxConfusions, len(in.Confusions))] {
		t.Rows = append(t.Rows, []string{c.Label, c.Answered, fmt.Sprint(c.Count)})
	}
	return t
}

func (in InFrame) reliability() table.Table {
	t := table.Table{Title: in.title(fmt.Sprintf("Reliability: how many answers of each probability are right (expected calibration error %.3f)", in.Reliability.Error)),
		Rows: [][]string{{"probability", "answers", "right %", "95% interval", "mean probability %"}}}
	for _, b := range in.Reliability.Bins {
		mean := "-"
		if b.N > 0 {
			mean = percent(b.Mean)
		}
		row := append([]string{fmt.Sprintf("%.1f to %.1f", b.From, b.To), fmt.Sprint(b.N)}, b.cells()...)
		t.Rows = append(t.Rows, append(row, mean))
	}
	return t
}

func (in InFrame) thresholds() table.Table {
	t := table.Table{Title: in.title("Thresholds: what is left if answers with a lower probability are uncertain (terminal.min_score)"),
		Rows: [][]string{{"threshold", "answered %", "right % of these", "95% interval"}}}
	for _, at := range in.Thresholds {
		answered := at.Answered.cells()[0]
		t.Rows = append(t.Rows, append([]string{fmt.Sprintf("%g", at.At), answered}, at.Precision.cells()...))
	}
	return t
}

func (s *Summary) requirements() table.Table {
	t := table.Table{Title: "Required differences in top-1", Rows: [][]string{{"difference", "want", "have", "p", "outcome"}}}
	for _, r := range s.Required {
		outcome := "MISSED"
		if r.Met {
			outcome = "reached"
		}
		t.Rows = append(t.Rows, []string{r.What, r.Want, fmt.Sprintf("%+.1f points", r.Points), pValue(r.P), outcome})
	}
	return t
}

// counted is a number of things.
func counted(n int, word string) string { return fmt.Sprintf("%d %s", n, console.Plural(n, word)) }

// facts are the facts about the run; folders are named without their parents.
func (s *Summary) facts() [][2]string {
	r := s.Run
	from := "classes by sub-folder"
	if r.From != "" {
		from = "classes by " + r.From
	}
	rows := [][2]string{
		{"images", fmt.Sprintf("%s, %s", counted(r.Images, "labelled image"), from)},
		{"model", fmt.Sprintf("%s, %s", cmp.Or(r.Variants[0].Model, "the default"), cmp.Or(r.Variants[0].Digest, "unknown digest"))},
		{"measured", fmt.Sprintf("%s by edgelens %s, seed %d, on %s (%d cores)", r.Started.UTC().Format("2006-01-02 15:04 MST"), r.Version, r.Seed, cmp.Or(r.Board.CPU, "an unknown CPU"), r.Board.Cores)},
		{"command", s.command()},
	}
	if r.Target != "" {
		rows = append(rows, [2]string{"service", r.Target})
	}
	return rows
}

// notShown are the flags that do not change what is measured.
var notShown = []string{"--out", "--markdown", "--title", "--note", "--require", "--resume", "--write", "--config", "--data-dir", "--models-dir"}

// command is the command line without the folders of this machine, and without where reports go.
func (s *Summary) command() string {
	var words []string
	for _, word := range s.Run.Command {
		flag, value, isFlag := strings.Cut(word, "=")
		switch {
		case slices.Contains(notShown, flag):
			continue
		case !isFlag && filepath.IsAbs(word):
			word = filepath.Base(word)
		case strings.ContainsAny(value, " *"):
			word = flag + "='" + value + "'"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// remarks are the sentences before the tables.
func (s *Summary) remarks() []string {
	var lines []string
	if s.Run.Ended.IsZero() {
		lines = append(lines, fmt.Sprintf("NOT COMPLETE: it was interrupted, with answers about %d of %s; continue with --resume.", s.Images, counted(s.Run.Images, "image")))
	}
	lines = append(lines, s.Run.Notes...)
	if n := len(s.Run.Unmatched); n > 0 {
		names := make([]string, 0, maxNamed)
		for _, u := range s.Run.Unmatched[:min(maxNamed, n)] {
			names = append(names, u.describe())
		}
		lines = append(lines, fmt.Sprintf("%s without a class of the model, not measured: %s%s.", counted(n, "image"), strings.Join(names, "; "), more(n)))
	}
	for _, kind := range []string{FailureAbsent, FailureUnreadable, FailureNotImage, FailureFailed} {
		var names []string
		for _, f := range s.Failures {
			if f.Failure == kind {
				names = append(names, f.Image)
			}
		}
		if n := len(names); n > 0 {
			lines = append(lines, fmt.Sprintf("%s %s, counted apart: %s%s.", counted(n, "file"), kind, strings.Join(names[:min(maxNamed, n)], ", "), more(n)))
		}
	}
	return append(lines, s.Hints...)
}

func more(n int) string {
	if n <= maxNamed {
		return ""
	}
	return fmt.Sprintf(" and %d more, in report.json", n-maxNamed)
}

// legend explains the words of the tables.
func (s *Summary) legend() []string {
	compared := 0
	for _, in := range s.Frames {
		for _, m := range in.Variants {
			if m.Paired != nil {
				compared++
			}
		}
	}
	if compared == 0 {
		return nil
	}
	line := fmt.Sprintf("\"Real\": if the two were equally right, chance alone would make them differ this much on the same images in less than one of 20 such comparisons (exact McNemar test, p < %g). \"Not distinguishable\": these images do not show which one is better; that does not prove them equal.", alpha)
	if compared >= 20 {
		line += fmt.Sprintf(" Of %d comparisons, about %d would be called real by chance.", compared, compared/20)
	}
	return []string{line}
}

// found are the sentences about the threshold for a precision.
func (s *Summary) found() []string {
	var lines []string
	for _, p := range s.Wanted {
		lines = append(lines, fmt.Sprintf("Threshold for a precision of %s%%: %g. Of %s, %s%% get an answer, and %s%% of these answers are right (%s to %s); %s, images %s.",
			percent(p.Wanted), p.At, counted(p.Answered.N, "image"), percent(p.Answered.Value), percent(p.Precision.Value), percent(p.Precision.Low), percent(p.Precision.High),
			p.Variant, shownIn(p.Frame)))
		if warning := p.Warning(); warning != "" {
			lines = append(lines, "Warning: "+warning)
		}
	}
	return lines
}
