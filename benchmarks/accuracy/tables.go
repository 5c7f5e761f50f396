package accuracy

import (
	"fmt"
	"slices"

	"edgelens/benchmarks/table"
)

// maxConfusions is the maximum number of confusions in a table.
const maxConfusions = 10

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
