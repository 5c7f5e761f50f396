package accuracy

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"edgelens/benchmarks/chart"
	"edgelens/benchmarks/table"
)

// Text writes the report for a terminal.
func (s *Summary) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, fact := range s.facts() {
		fmt.Fprintf(t, "%s\t%s\n", fact[0], fact[1]) // Flush returns the error
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := paragraphs(w, s.remarks()); err != nil {
		return err
	}
	for _, one := range s.tables() {
		if _, err := fmt.Fprintf(w, "\n%s\n", one.Title); err != nil {
			return err
		}
		if err := table.Text(w, one.Rows); err != nil {
			return err
		}
	}
	return paragraphs(w, append(s.legend(), s.found()...))
}

// paragraphs writes lines after an empty one.
func paragraphs(w io.Writer, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(lines, "\n"))
	return err
}

// Markdown writes the report; plots are the names of image files beside it.
func (s *Summary) Markdown(w io.Writer, title string, plots []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", title)
	for _, line := range s.remarks() {
		fmt.Fprintf(&b, "- %s\n", table.Cell(line))
	}
	b.WriteString("\n| | |\n|---|---|\n")
	for _, fact := range s.facts() {
		fmt.Fprintf(&b, "| %s | %s |\n", fact[0], table.Cell(fact[1]))
	}
	for i, one := range s.tables() {
		fmt.Fprintf(&b, "\n## %s\n\n", one.Title)
		table.Markdown(&b, one.Rows)
		if i == len(s.Frames)-1 {
			for _, line := range s.legend() {
				fmt.Fprintf(&b, "\n%s\n", line)
			}
		}
	}
	for _, line := range s.found() {
		fmt.Fprintf(&b, "\n%s\n", line)
	}
	for _, plot := range plots {
		fmt.Fprintf(&b, "\n![%s](%s)\n", strings.TrimSuffix(plot, ".svg"), plot)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Write writes report.md, report.json and the plots into the folder of the records; it overwrites existing ones.
func (s *Summary) Write(dir string) error {
	plots, err := s.plots(dir)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := s.Markdown(&text, "How right the answers are", plots); err != nil {
		return err
	}
	fmt.Fprintf(&text, "\nGenerated from the raw records by `edgelens bench report %s`.\n", s.Run.ID)
	if err := os.WriteFile(filepath.Join(dir, "report.md"), text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return writeJSON(filepath.Join(dir, "report.json"), s)
}

// plots draws the plots, and returns the names of the SVGs.
func (s *Summary) plots(dir string) ([]string, error) {
	names := []string{"reliability", "thresholds"}
	charts := []chart.Chart{s.reliabilityChart(), s.thresholdsChart()}
	for _, in := range s.Frames {
		names = append(names, "top1-"+strings.ReplaceAll(in.Frame, ":", "x"))
		charts = append(charts, in.top1Chart())
	}
	for i, name := range names {
		if err := chart.Write(dir, name, charts[i]); err != nil {
			return nil, err
		}
		names[i] = name + ".svg"
	}
	return names, nil
}

func (in InFrame) top1Chart() chart.Chart {
	bars := chart.Bars{Title: "Top-1, images " + shownIn(in.Frame), Label: "right answers, %, with the 95% interval"}
	for _, m := range in.Variants {
		bars.Bars = append(bars.Bars, chart.Bar{Name: m.Name, Value: 100 * m.Top1.Value, Low: 100 * m.Top1.Low, High: 100 * m.Top1.High})
	}
	return bars
}

// percentTicks are those of an axis of shares.
func percentTicks() []chart.Tick {
	var ticks []chart.Tick
	for at := 0; at <= 100; at += 10 {
		ticks = append(ticks, chart.Tick{At: float64(at), Label: fmt.Sprint(at)})
	}
	return ticks
}

func (s *Summary) reliabilityChart() chart.Chart {
	lines := chart.Lines{Title: "Reliability of " + s.Run.Variants[0].Name, XLabel: "mean probability of the answers, %", YLabel: "right, %", XTicks: percentTicks(),
		Series: []chart.Series{{Name: "as probable as stated", X: []float64{0, 100}, Y: []float64{0, 100}}}}
	for _, in := range s.Frames {
		line := chart.Series{Name: "images " + shownIn(in.Frame)}
		for _, b := range in.Reliability.Bins {
			if b.N > 0 {
				line.X, line.Y = append(line.X, 100*b.Mean), append(line.Y, 100*b.Value)
			}
		}
		lines.Series = append(lines.Series, line)
	}
	return lines
}

// curvePoints is the number of points of a line over thresholds.
const curvePoints = 100

func (s *Summary) thresholdsChart() chart.Chart {
	lines := chart.Lines{Title: "Answers of at least a probability: " + s.Run.Variants[0].Name, XLabel: "threshold, %", YLabel: "%", XTicks: percentTicks(), LegendBelow: true}
	for f, in := range s.Frames {
		right, answered := chart.Series{Name: "right, images " + shownIn(in.Frame)}, chart.Series{Name: "answered, images " + shownIn(in.Frame)}
		for _, t := range curve(s.baseline(f), curvePoints) {
			right.X, right.Y = append(right.X, 100*t.At), append(right.Y, 100*t.Precision.Value)
			answered.X, answered.Y = append(answered.X, 100*t.At), append(answered.Y, 100*t.Answered.Value)
		}
		lines.Series = append(lines.Series, right, answered)
	}
	return lines
}
