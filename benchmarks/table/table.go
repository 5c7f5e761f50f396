// Package table writes tables for a terminal and for Markdown files. The first row of a table is its header.
package table

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table is a table with a title.
type Table struct {
	Title string
	Rows  [][]string
}

// Text writes rows for a terminal.
func Text(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t")) // Flush returns the error
	}
	return t.Flush()
}

// Markdown writes rows; all columns but the first are aligned to the right.
func Markdown(b *strings.Builder, rows [][]string) {
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, text := range row {
			cells[j] = Cell(text)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(b, "|---%s|\n", strings.Repeat("|---:", len(row)-1))
		}
	}
}

// Cell escapes a text for a cell of a Markdown table.
func Cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}
