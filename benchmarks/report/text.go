package report

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"edgelens/benchmarks/record"
	"edgelens/benchmarks/table"
	"edgelens/internal/board"
)

// sections are the tables of a report, one for each measured mode.
var sections = []struct {
	mode, title string
	metrics     []string
}{
	{record.ModeModel, "Model alone (ms; all interpreters concurrently)", []string{"init", "first inference", "warmup", "min", "mean", "std", P50, "p90", "p95", P99, Throughput, "memory init", "memory overall", "memory further", File}},
	{record.ModeStage, "Stages of recognition, on one core", []string{"mean", P50, "p90", "p95", P99}},
	{record.ModeCeiling, "Ceiling: decode, resize and Invoke in a bare loop on every core, or Invoke alone", []string{Throughput, CPU, P50, P99}},
	{ModeStart, "Start of the service", []string{Ready, Idle}},
	{record.ModeClosed, "Closed loop: N connections, one request after the other", []string{Throughput, CPU, Memory, P50, "p95", P99, Refused}},
	{record.ModeOpen, "Open loop: latency from the due time", []string{P50, "p90", P99, Tail, CPU, Memory, Refused}},
	{record.ModeSoak, "Soak: medians of its ten consecutive parts", []string{Throughput, CPU, Memory, P50, "p95", P99}},
	{record.ModeMQTT, "Terminals over MQTT: from a record's due time to its event", []string{P50, "p90", P99, CPU}},
}

func (s *Summary) grids() []table.Table {
	var grids []table.Table
	for _, section := range sections {
		g := table.Table{Title: section.title, Rows: [][]string{append([]string{"case"}, section.metrics...)}}
		g.Rows[0] = append(g.Rows[0], "good", "bad")
		for _, c := range s.Cases {
			if c.Mode != section.mode {
				continue
			}
			row := []string{c.Name}
			for _, name := range section.metrics {
				text := "-"
				if m, ok := c.Metric(name); ok {
					text = m.text()
				}
				row = append(row, text)
			}
			g.Rows = append(g.Rows, append(row, fmt.Sprint(c.Good), c.bad()))
		}
		if len(g.Rows) > 1 {
			grids = append(grids, g)
		}
	}
	if g, ok := s.variantGrid(); ok {
		grids = append(grids, g)
	}
	if g, ok := s.peerGrid(); ok {
		grids = append(grids, g)
	}
	return grids
}

// text is the median, with half the width of its interval in percent.
func (m Metric) text() string {
	median, interval := m.Median(), m.Interval()
	text := number(median) + unit(m.Unit)
	if len(m.Values) > 1 && median != 0 {
		spread := 100 * math.Max(interval.High-median, median-interval.Low) / math.Abs(median)
		text += fmt.Sprintf(" ±%.0f%%", spread)
	}
	return text
}

func unit(u string) string {
	if u == PerSecond {
		return u
	}
	return " " + u
}

// number has three significant digits.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || a == 0:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func (c *Case) bad() string {
	if c.Bad == 0 {
		return "0"
	}
	var what []string
	for _, status := range slices.Sorted(maps.Keys(c.Statuses)) {
		what = append(what, fmt.Sprintf("%d x %s", c.Statuses[status], status))
	}
	return strings.Join(what, ", ")
}

// verdict is the first line of every report.
func (s *Summary) verdict() []string {
	errs := s.Run.Problems()
	lines := make([]string, 0, len(errs)+1)
	for _, problem := range errs {
		lines = append(lines, "NOT GOOD: "+problem)
	}
	for _, warning := range board.Warnings(s.Run.Board, s.Run.Before) {
		lines = append(lines, "Note: "+warning)
	}
	return lines
}

// Text writes the report for a terminal.
func (s *Summary) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range s.verdict() {
		fmt.Fprintln(t, line) // Flush returns the error, here and below
	}
	for _, line := range s.facts() {
		fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
	}
	for _, g := range s.grids() {
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(t, "\n%s\n", g.Title)
		for _, row := range g.Rows {
			fmt.Fprintln(t, strings.Join(row, "\t"))
		}
	}
	return t.Flush()
}

// facts are the facts about the machine and the service.
func (s *Summary) facts() [][2]string {
	r, b := s.Run, s.Run.Board
	rows := [][2]string{
		{"board", orUnknown(b.Model)},
		{"CPU", fmt.Sprintf("%s, %d cores, %s (%s)", orUnknown(b.CPU), b.Cores, b.Architecture, strings.Join(b.Features, " "))},
		{"memory", fmt.Sprintf("%.1f GB", float64(b.MemoryBytes)/1e9)},
		{"system", fmt.Sprintf("%s, Linux %s", orUnknown(b.OS), orUnknown(b.Kernel))},
		{"before", stateText(r.Before)},
		{"after", stateText(r.After)},
		{"edgelens", fmt.Sprintf("%s, commit %s, %s", r.Version, orUnknown(r.Commit), r.Go)},
		{"model", fmt.Sprintf("%s, %s", orUnknown(r.Model), orUnknown(r.Digest))},
		{"measured", fmt.Sprintf("%s, each case %d times; medians, ± is the 95%% confidence interval", r.Started.UTC().Format("2006-01-02 15:04 MST"), r.Rounds)},
		{"command", strings.Join(r.Command, " ")},
	}
	if r.Peer != "" {
		rows = append(rows, [2]string{"other service", r.Peer})
	}
	return rows
}

func stateText(s board.State) string {
	parts := []string{"governor " + orUnknown(s.Governor)}
	if s.MHz > 0 {
		parts = append(parts, fmt.Sprintf("%d MHz (%d to %d)", s.MHz, s.MinMHz, s.MaxMHz))
	}
	if s.Celsius != nil {
		parts = append(parts, fmt.Sprintf("%.1f °C", *s.Celsius))
	}
	if s.Throttled != nil {
		parts = append(parts, fmt.Sprintf("throttled=0x%x", *s.Throttled))
	}
	return strings.Join(append(parts, fmt.Sprintf("load %.2f", s.Load)), ", ")
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
