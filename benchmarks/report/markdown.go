package report

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the report in a format for a README; plots are the names of image files beside it.
func (s *Summary) Markdown(w io.Writer, plots []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## edgelens on %s\n\n", orUnknown(cell(s.Run.Board.Model)))
	for _, line := range s.verdict() {
		fmt.Fprintf(&b, "> **%s**\n>\n", line)
	}
	b.WriteString("\n| | |\n|---|---|\n")
	for _, row := range s.facts() {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], cell(row[1]))
	}
	for _, g := range s.grids() {
		fmt.Fprintf(&b, "\n### %s\n\n", g.title)
		writeRows(&b, g.rows)
	}
	if rows := targetRows(Targets(s)); len(rows) > 1 {
		b.WriteString("\n### Targets\n\n")
		writeRows(&b, rows)
	}
	for _, plot := range plots {
		fmt.Fprintf(&b, "\n![%s](%s)\n", strings.TrimSuffix(plot, ".svg"), plot)
	}
	fmt.Fprintf(&b, "\nGenerated from the raw records by `edgelens bench report %s`.\n", s.Run.ID)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeRows(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, text := range row {
			cells[j] = cell(text)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(b, "|---%s|\n", strings.Repeat("|---:", len(row)-1))
		}
	}
}

// cell escapes a text for a table cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}
