package report

import (
	"fmt"
	"io"
	"strings"

	"edgelens/benchmarks/table"
)

// Markdown writes the report in a format for a README; plots are the names of image files beside it.
func (s *Summary) Markdown(w io.Writer, plots []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## edgelens on %s\n\n", orUnknown(table.Cell(s.Run.Board.Model)))
	for _, line := range s.verdict() {
		fmt.Fprintf(&b, "> **%s**\n>\n", line)
	}
	b.WriteString("\n| | |\n|---|---|\n")
	for _, row := range s.facts() {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], table.Cell(row[1]))
	}
	for _, g := range s.grids() {
		fmt.Fprintf(&b, "\n### %s\n\n", g.Title)
		table.Markdown(&b, g.Rows)
	}
	if rows := targetRows(Targets(s)); len(rows) > 1 {
		b.WriteString("\n### Targets\n\n")
		table.Markdown(&b, rows)
	}
	for _, plot := range plots {
		fmt.Fprintf(&b, "\n![%s](%s)\n", strings.TrimSuffix(plot, ".svg"), plot)
	}
	fmt.Fprintf(&b, "\nGenerated from the raw records by `edgelens bench report %s`.\n", s.Run.ID)
	_, err := io.WriteString(w, b.String())
	return err
}
